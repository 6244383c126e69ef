//! Something that lives only while the CLI runs, such as a token: never stored.

use std::future::Future;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::schema::Schema;

/// What opening gave.
#[derive(Clone, Debug)]
pub struct Opened<M, P> {
    /// The result, every attribute known.
    pub model: M,
    /// What renewing and closing need.
    pub private: P,
    /// When it must be renewed, if ever.
    pub renew_at: Option<SystemTime>,
}

/// What renewing gave.
#[derive(Clone, Debug)]
pub struct Renewed<P> {
    /// What renewing and closing need.
    pub private: P,
    /// When it must be renewed again, if ever.
    pub renew_at: Option<SystemTime>,
}

/// Something that lives only while the CLI runs.
pub trait EphemeralResource: Send + Sync + Sized + 'static {
    /// Configuration and result, which have one shape: a field for each attribute of the schema.
    type Model: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What renewing and closing need: `()` if nothing.
    type Private: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static;

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

    /// Makes it.
    fn open(
        &self,
        config: Self::Model,
        cx: &Context,
    ) -> impl Future<Output = Result<Opened<Self::Model, Self::Private>, Diagnostics>> + Send;

    /// Keeps it alive. Called only if a time for it was given.
    fn renew(
        &self,
        private: Self::Private,
        cx: &Context,
    ) -> impl Future<Output = Result<Renewed<Self::Private>, Diagnostics>> + Send {
        let _ = cx;
        async move {
            Ok(Renewed {
                private,
                renew_at: None,
            })
        }
    }

    /// Ends it.
    fn close(
        &self,
        private: Self::Private,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (private, cx);
        async { Ok(()) }
    }
}
