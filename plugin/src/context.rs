//! What surrounds one call from the CLI: whether it was cancelled, what the CLI can do, and warnings for the person.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::diagnostic::{Diagnostic, Diagnostics};

/// What the CLI at the other end can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCapabilities {
    /// It can handle answers that put a change off.
    pub deferral_allowed: bool,
    /// It can handle write-only attributes.
    pub write_only_attributes_allowed: bool,
}

/// What surrounds one call from the CLI. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    stop: watch::Receiver<bool>,
    gathered: Arc<Mutex<Diagnostics>>,
    client: ClientCapabilities,
}

impl Context {
    pub(crate) fn new(stop: watch::Receiver<bool>, client: ClientCapabilities) -> Self {
        Self {
            stop,
            gathered: Arc::default(),
            client,
        }
    }

    /// A context for unit tests of resources: nobody cancels it.
    pub fn detached() -> Self {
        // The sender is gone: `cancelled` never resolves then.
        Self::new(watch::channel(false).1, ClientCapabilities::default())
    }

    /// True once the person asked the CLI to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.stop.borrow()
    }

    /// Resolves once the person asked the CLI to stop; never if that does not happen. Made for `tokio::select!`:
    /// stop waiting, save what exists to the slot, and return an error.
    pub async fn cancelled(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells the person something without failing. An error given here fails the call after it has ended.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.gathered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(diagnostic);
    }

    /// What the CLI at the other end can do.
    pub fn client_capabilities(&self) -> ClientCapabilities {
        self.client
    }

    /// Takes the warnings given so far: for the answer, and for unit tests of resources.
    pub fn take_warnings(&self) -> Diagnostics {
        std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
