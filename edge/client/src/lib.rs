//! Client of the edge's API, and the types that client and server share, so that they cannot drift.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mkys_edge_client::{EdgeClient, Settings};
//!
//! let settings = Settings::new("https://edge.example.org:8600", "mkys_…");
//! let edge = EdgeClient::new(&settings)?;
//! for route in edge.routes().await? {
//!     println!("{} {}{}", route.id, route.spec.host, route.spec.path);
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod place;
mod reserved;
mod session;
mod session_client;
mod token;
mod types;

pub use client::{EDGE_HEADER, EdgeClient, NO_SUCH_ROUTE, Settings};
pub use error::{EdgeError, Refusal};
pub use place::{check_below, check_host, check_label, check_path, check_text};
pub use reserved::{check_reserved, is_named};
pub use session::{
    Delegation, DelegationRequest, NewDelegation, Renewal, Renewed, Session, SessionFault,
    SessionSpec, SessionStatus, TTL_S,
};
pub use token::{Actor, Role};
pub use types::{
    Access, AccessState, Audience, Content, Decision, DecisionRequest, PlaceQuery, Route,
    RouteSpec, Vacancy, Wish,
};
