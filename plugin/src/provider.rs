//! The provider itself: its configuration.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::schema::Schema;

/// The provider itself: its configuration. What configuring makes (a client) is shared with the resources
/// by the provider's own means, for example an `Arc<OnceLock<Client>>` that each of them got a clone of.
pub trait Provider: Send + Sync + Sized + 'static {
    /// The configuration: a field for each attribute of the schema.
    type Config: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The name: `"mkys"`.
    fn name(&self) -> &'static str;

    /// The attributes of the provider's block.
    fn schema(&self) -> Schema;

    /// Looks for mistakes in the configuration, after each attribute's own checks. Offline; anything may be unknown.
    fn validate(
        &self,
        config: &Self::Config,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (config, cx);
        async { Ok(()) }
    }

    /// Gets ready for work. While planning, attributes can be unknown here too.
    fn configure(
        &self,
        config: Self::Config,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;
}
