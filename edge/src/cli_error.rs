//! What the command line says of faults, each of which an operator can act on.

use std::net::SocketAddr;
use std::path::PathBuf;

use uuid::Uuid;

use crate::policy::Reason;

/// A fault of a command.
#[derive(Debug, strum::EnumCount, thiserror::Error)]
pub enum CliError {
    /// A name has other characters.
    #[error("{0}: {1}")]
    Name(&'static str, Reason),
    /// A requester's token may do nothing.
    #[error("a requester's token needs at least one --blade and one --network")]
    NoRights,
    /// An administrator's token is given rights that mean nothing.
    #[error(
        "an administrator decides on the routes of every blade: leave out --blade and --network, or choose --role requester"
    )]
    NeedlessRights,
    /// No token that was not revoked has the name.
    #[error("there is no token named {0:?} that was not revoked")]
    NoToken(String),
    /// No route has the id.
    #[error("there is no route {0}")]
    NoRoute(Uuid),
    /// The system gives no random bytes.
    #[error("no random bytes")]
    NoRandom,
    /// The state has a service already.
    #[error("another `mkys-edge serve` runs with the state {0}")]
    Running(PathBuf),
    /// The API's address cannot be listened on.
    #[error("the API cannot listen on {0}")]
    Api(SocketAddr),
    /// The portal's socket cannot be made.
    #[error("the portal cannot listen on {0}")]
    Portal(PathBuf),
    /// NGINX' user does not exist.
    #[error("nginx.user: /etc/passwd has no user {0:?}")]
    NoUser(String),
}
