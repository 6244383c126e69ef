//! What goes over the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Refusal;

/// Whom a route is for. Each audience has its own listener, on its own external network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Visitors.
    Users,
    /// Authorised people who update, deploy and watch their blade.
    Devops,
}

/// A route as its requester wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The blade it leads to.
    pub blade: String,
    /// The blade's service.
    pub service: String,
    /// TCP port of the service. Part of what is approved; the targets' port must be the same.
    pub port: u16,
    /// Host name that visitors ask for, lower case.
    pub host: String,
    /// Path prefix, from `/` on; it matches whole segments and reaches the service as it was asked.
    pub path: String,
    /// Where each audience's requests go. It may change without another approval.
    #[serde(default)]
    pub targets: BTreeMap<Audience, SocketAddrV4>,
    /// For whom it is wanted, and why.
    #[serde(default)]
    pub access: BTreeMap<Audience, Wish>,
}

/// What a requester wants for an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Whether access is wanted; off withdraws it at once, without anybody's approval.
    pub enabled: bool,
    /// Why, for those who decide, and nobody else.
    #[serde(default)]
    pub justification: String,
    /// The text of the portal's public page for the service. Part of the approval.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A route as the edge holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its id.
    pub id: Uuid,
    /// What was asked for.
    #[serde(flatten)]
    pub spec: RouteSpec,
    /// Who asked: the name of the token.
    pub requester: String,
    /// All persons who asked for it or changed it: none of them decides on it.
    #[serde(default)]
    pub people: Vec<String>,
    /// What was decided, for each audience that the route names.
    pub decisions: BTreeMap<Audience, Access>,
}

/// Whether an audience has access, and who decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Whether it has.
    pub state: AccessState,
    /// Who decided; nobody while it is pending.
    #[serde(default)]
    pub decided_by: Option<String>,
    /// Why, in the words of whoever decided.
    #[serde(default)]
    pub reason: Option<String>,
    /// When.
    #[serde(default)]
    pub decided_at: Option<jiff::Timestamp>,
    /// Incremented by each change of the wish or the decision for this audience.
    #[serde(default)]
    pub revision: u64,
}

/// The states of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessState {
    /// Nobody has decided yet.
    Pending,
    /// An administrator let it through.
    Approved,
    /// An administrator did not.
    Refused,
    /// The requester turned it off, or an administrator took it back.
    Withdrawn,
}

/// A place that somebody wants to know about: the query of `GET /v1/place`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceQuery {
    /// Host name.
    pub host: String,
    /// Path.
    pub path: String,
    /// The blade that the route would be of. Left out, any that the token may speak for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blade: Option<String>,
}

/// Whether a route can be at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Vacancy {
    /// Nobody has it.
    Free,
    /// Nobody has it, and routes of other blades are on the same host: whoever decides is shown that.
    Shared {
        /// Whose they are, in one sentence.
        notice: String,
    },
    /// A route would be refused.
    Taken {
        /// In the words in which it would be.
        refusal: Refusal,
        /// The route that has it, or has delegated it, if the token may see that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Box<Route>>,
    },
}

/// What an administrator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Let it through.
    Approve,
    /// Do not.
    Refuse,
    /// Take back what was approved.
    Withdraw,
}

/// What is decided on: everything of a route that an approval is bound to, and so never an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The blade.
    pub blade: String,
    /// Its service.
    pub service: String,
    /// TCP port of the service.
    pub port: u16,
    /// Host name.
    pub host: String,
    /// Path prefix.
    pub path: String,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            blade,
            service,
            port,
            host,
            path,
        } = self;
        write!(f, "{blade}/{service}, port {port}, at {host}{path}")
    }
}

impl RouteSpec {
    /// What is decided on.
    pub fn content(&self) -> Content {
        Content {
            blade: self.blade.clone(),
            service: self.service.clone(),
            port: self.port,
            host: self.host.clone(),
            path: self.path.clone(),
        }
    }
}

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// The decision.
    pub decision: Decision,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The route as it was seen: one that changed meanwhile is not decided on. Needed to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The revision of the access as it was seen: one that was changed or decided on meanwhile is not decided on. Needed to approve what was
    /// refused or withdrawn before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl Audience {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Users, Self::Devops];

    /// The word for it in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Devops => "devops",
        }
    }
}

impl AccessState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for AccessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
