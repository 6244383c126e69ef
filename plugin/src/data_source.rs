//! Something that the provider looks up.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::schema::Schema;

/// Something that the provider looks up.
pub trait DataSource: Send + Sync + Sized + 'static {
    /// Configuration and result, which have one shape: a field for each attribute of the schema.
    type Model: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The name without the provider's.
    fn name(&self) -> &'static str;

    /// The attributes.
    fn schema(&self) -> Schema;

    /// Looks for mistakes in the configuration, after each attribute's own checks. Offline; anything may be unknown.
    fn validate(
        &self,
        config: &Self::Model,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (config, cx);
        async { Ok(()) }
    }

    /// Looks it up. The configuration is wholly known, with defaults filled in.
    fn read(
        &self,
        config: Self::Model,
        cx: &Context,
    ) -> impl Future<Output = Result<Self::Model, Diagnostics>> + Send;
}
