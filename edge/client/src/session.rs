//! Session routes, as they go over the wire.
//!
//! An administrator delegates the path prefix of an approved route to a *holder*. The holder's token adds routes
//! below the prefix by itself, one for each session, as leases: a session route that is not renewed in its time
//! ends, whatever became of its holder.

use std::fmt;
use std::net::SocketAddrV4;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::place::{check_below, check_label};
use crate::reserved::check_reserved;
use crate::types::Audience;

/// Shortest and longest time to live of a session route, in seconds.
pub const TTL_S: std::ops::RangeInclusive<u32> = 5..=3_600;

/// What an administrator delegates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegationRequest {
    /// Whom to: a name of letters, digits, `-` and `_`, once a route.
    pub holder: String,
    /// Where session routes may lead.
    pub networks: Vec<Ipv4Net>,
    /// How many session routes there may be at once.
    pub limit: u32,
}

/// A delegated path prefix. It ends with its route, and when the route's content changes: then somebody else
/// decides on something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The approved route.
    pub route: Uuid,
    /// Who adds session routes.
    pub holder: String,
    /// The route's host name, and that of all session routes below it.
    pub host: String,
    /// The route's path; session routes lie below it.
    pub prefix: String,
    /// Whom session routes are for: the audiences that the route is approved for now.
    pub audiences: Vec<Audience>,
    /// Where they may lead.
    pub networks: Vec<Ipv4Net>,
    /// How many there may be at once.
    pub limit: u32,
    /// The administrator who delegated.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A new delegation with its token, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDelegation {
    /// The delegation.
    #[serde(flatten)]
    pub delegation: Delegation,
    /// The holder's token.
    pub token: String,
}

// a token has no place in a log
impl fmt::Debug for NewDelegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NewDelegation")
            .field(&self.delegation)
            .finish()
    }
}

/// A session route as its holder wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSpec {
    /// Its path: the delegated prefix and at least one segment more. It reaches the target as it was asked.
    pub path: String,
    /// Where requests go.
    pub target: SocketAddrV4,
    /// Seconds until it ends unless it is renewed; each renewal gives it as many again. See [`TTL_S`].
    pub ttl_s: u32,
}

/// A session route as the edge holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id; another one when a name is used again after its route ended.
    pub id: Uuid,
    /// Its name, unique for its holder.
    pub name: String,
    /// Host name that visitors ask for.
    pub host: String,
    /// What they ask for there, with all that is below.
    pub path: String,
    /// Where requests go.
    pub target: SocketAddrV4,
    /// Seconds that each renewal gives.
    pub ttl_s: u32,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// A session route with its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The session route.
    #[serde(flatten)]
    pub session: Session,
    /// Connections that are open through it: websockets, and requests that are being answered.
    pub connections: u64,
    /// Whole seconds since something last passed: the beginning or the end of a request, or data on a
    /// websocket in either direction. Since it was added, if nobody came yet.
    pub idle_s: u64,
}

/// Which session routes to renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// Their names.
    pub names: Vec<String>,
}

/// What came of a renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Names of those that have their whole time again.
    pub renewed: Vec<String>,
    /// Names that the edge does not know, or not any more: these have to be put again.
    pub unknown: Vec<String>,
}

/// What is wrong with a session route: the field, and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFault {
    /// `name`, `path`, `target` or `ttl_s`.
    pub field: &'static str,
    /// One sentence.
    pub error: String,
    /// Whether it could be right under another delegation.
    pub is_forbidden: bool,
}

impl Delegation {
    /// Checks a session route as the edge does, only earlier; what others have is known to the edge alone.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self, name: &str, spec: &SessionSpec) -> Result<(), SessionFault> {
        let SessionSpec {
            path,
            target,
            ttl_s,
        } = spec;
        let fault = |field, is_forbidden| {
            move |error| SessionFault {
                field,
                error,
                is_forbidden,
            }
        };
        check_label(name).map_err(fault("name", false))?;
        crate::place::check_path(path).map_err(fault("path", false))?;
        check_below(&self.prefix, path).map_err(fault("path", true))?;
        if target.port() == 0 {
            return Err(fault("target", false)("0 is not a TCP port".to_owned()));
        }
        if !self.networks.iter().any(|one| one.contains(target.ip())) {
            let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
            let error = format!(
                "{target} lies outside the networks of the delegation ({})",
                networks.join(", ")
            );
            return Err(fault("target", true)(error));
        }
        check_reserved(*target.ip(), &self.networks).map_err(fault("target", true))?;
        if !TTL_S.contains(ttl_s) {
            let error = format!(
                "{ttl_s} s is not between {} s and {} s",
                TTL_S.start(),
                TTL_S.end()
            );
            return Err(fault("ttl_s", false)(error));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn delegation(prefix: &str) -> Delegation {
        Delegation {
            route: Uuid::nil(),
            holder: "runner".into(),
            host: "games.example.org".into(),
            prefix: prefix.into(),
            audiences: vec![Audience::Users],
            networks: vec!["10.88.0.0/16".parse().unwrap()],
            limit: 2,
            created_by: "ada".into(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_bad_session_route_is_named() {
        let long = "a".repeat(64);
        let fits = "a".repeat(63);
        let cases = [
            ("/play", "g-1", "/play/g-1", "10.88.0.5:80", 60, ""),
            ("/play", &fits, "/play/a/b/c", "10.88.255.255:1", 5, ""),
            ("/", "g", "/g", "10.88.0.5:80", 3_600, ""),
            ("/play", "", "/play/g", "10.88.0.5:80", 60, "name"),
            ("/play", &long, "/play/g", "10.88.0.5:80", 60, "name"),
            ("/play", "G", "/play/g", "10.88.0.5:80", 60, "name"),
            ("/play", "-g", "/play/g", "10.88.0.5:80", 60, "name"),
            ("/play", "a.b", "/play/g", "10.88.0.5:80", 60, "name"),
            ("/play", "g", "/play", "10.88.0.5:80", 60, "path"),
            ("/play", "g", "/play/", "10.88.0.5:80", 60, "path"),
            ("/play", "g", "/player/g", "10.88.0.5:80", 60, "path"),
            ("/play", "g", "/play/../x", "10.88.0.5:80", 60, "path"),
            ("/play", "g", "/other/g", "10.88.0.5:80", 60, "path"),
            ("/", "g", "/", "10.88.0.5:80", 60, "path"),
            ("/play", "g", "/play/g", "10.89.0.5:80", 60, "target"),
            ("/play", "g", "/play/g", "10.88.0.5:0", 60, "target"),
            ("/play", "g", "/play/g", "10.88.0.5:80", 4, "ttl_s"),
            ("/play", "g", "/play/g", "10.88.0.5:80", 3_601, "ttl_s"),
        ];
        for (prefix, name, path, target, ttl_s, field) in cases {
            let spec = SessionSpec {
                path: path.into(),
                target: target.parse().unwrap(),
                ttl_s,
            };
            let found = delegation(prefix).check(name, &spec);
            let found = found.err().map(|fault| fault.field).unwrap_or_default();
            assert_eq!(found, field, "{prefix} {name:?} {spec:?}");
        }
    }

    #[test]
    fn a_new_token_is_not_shown_by_debug() {
        let new = NewDelegation {
            delegation: delegation("/play"),
            token: "mkys_secret".into(),
        };
        assert!(!format!("{new:?}").contains("mkys_secret"));
    }
}
