//! Reasons for refusals by the rules of the edge, each in one sentence for the person who asked.

use std::net::SocketAddrV4;

use mkys_edge_client::{AccessState, Audience, Content};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, strum::EnumCount, thiserror::Error)]
pub enum Reason {
    /// A blade's, service's or holder's name has other characters.
    #[error("{0:?} is not a name of at most 64 letters, digits, '-' and '_'")]
    Name(String),
    /// A token's or person's name has other characters.
    #[error("{0:?} is not a name of at most 64 letters, digits, '-', '_', '.' and '@'")]
    TokenName(String),
    /// The host is the portal's.
    #[error("{0:?} is the portal itself")]
    Portal(String),
    /// The port is 0.
    #[error("0 is not a TCP port")]
    NoPort,
    /// The route is for nobody.
    #[error("name at least one audience")]
    NoAudience,
    /// An access is asked for without a justification.
    #[error("say why access is needed: somebody decides on it")]
    NoJustification,
    /// A text is too long.
    #[error("keep it within 2,000 bytes")]
    TooLong,
    /// An audience that wants access has no target.
    #[error("{0} has no target")]
    NoTarget(Audience),
    /// A target has another port than the service.
    #[error("{target} is not port {port} of the service")]
    OtherPort {
        /// The target.
        target: SocketAddrV4,
        /// The service's port.
        port: u16,
    },
    /// A requester decides.
    #[error("only an administrator decides")]
    DecidesAsRequester,
    /// A person decides on an own route.
    #[error("{0:?} asked for this route or changed it, so another person decides")]
    DecidesOnOwn(String),
    /// The route is not what was seen.
    #[error("the route has changed since it was looked at: it is {0} now")]
    Changed(Content),
    /// An approval does not say what was seen.
    #[error("say what is approved: the route's blade, service, port, host and path")]
    NoContent,
    /// The route is not for the audience.
    #[error("the route is not for {0}")]
    OtherAudience(Audience),
    /// The access is not what was seen.
    #[error("the access was changed or decided on since it was looked at: {0}")]
    Revised(AccessNow),
    /// An approval of what was refused or withdrawn does not say that this was seen.
    #[error("{0}: say by its revision that this was seen")]
    NoRevision(AccessNow),
    /// The requester turned the audience off.
    #[error("its requester does not want access for {0}")]
    Unwanted(Audience),
    /// What is refused does not wait for a decision.
    #[error("access for {0} is {1}, not pending")]
    NotPending(Audience, AccessState),
    /// What is withdrawn is not approved.
    #[error("access for {0} is {1}, not approved")]
    NotApproved(Audience, AccessState),
    /// A requester delegates.
    #[error("only an administrator delegates")]
    DelegatesAsRequester,
    /// A person delegates an own route.
    #[error("{0:?} asked for this route or changed it, so another person delegates it")]
    DelegatesOwn(String),
    /// A delegation leads nowhere.
    #[error("name at least one network")]
    NoNetwork,
    /// A delegation's limit is out of range.
    #[error("{limit} is not between 1 and {most}")]
    Limit {
        /// The limit that is asked for.
        limit: u32,
        /// The most that one delegation allows.
        most: u32,
    },
    /// What is delegated is approved for no audience.
    #[error("the route is approved for nobody, so there is nothing to delegate")]
    NothingApproved,
    /// The delegated route is approved for no audience any more.
    #[error("access to {host}{prefix} was withdrawn")]
    Withdrawn {
        /// Host of the delegated route.
        host: String,
        /// Its path.
        prefix: String,
    },
}

/// An access as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessNow {
    /// Its audience.
    pub audience: Audience,
    /// Its state.
    pub state: AccessState,
    /// Who decided on it.
    pub by: Option<String>,
}

impl std::fmt::Display for AccessNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            audience,
            state,
            by,
        } = self;
        write!(f, "access for {audience} is {state} now")?;
        by.iter().try_for_each(|by| write!(f, ", by {by:?}"))
    }
}
