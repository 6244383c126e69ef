//! Runs the provider's own code: each call in a task of its own, so that a panic becomes a diagnostic, and what ignores a
//! cancellation is dropped after a time of grace.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::context::{ClientCapabilities, Context};
use crate::diagnostic::Diagnostics;

/// A future on the heap, for traits that are used as objects.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Calls {
    stop: watch::Sender<bool>,
    grace: Duration,
    busy: mpsc::Sender<()>,
}

/// Tells when no call runs any more.
#[derive(Debug)]
pub(crate) struct Idle(mpsc::Receiver<()>);

impl Idle {
    /// Waits until the last call has ended and none can come.
    pub(crate) async fn wait(&mut self) {
        // Nothing is ever sent: this ends when the last sender is dropped.
        let _ = self.0.recv().await;
    }
}

impl Calls {
    pub(crate) fn new(grace: Duration) -> (Self, Idle) {
        let (busy, idle) = mpsc::channel(1);
        (
            Self {
                stop: watch::channel(false).0,
                grace,
                busy,
            },
            Idle(idle),
        )
    }

    /// Cancels everything that runs, and whatever comes after.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn context(&self, client: ClientCapabilities) -> Context {
        Context::new(self.stop.subscribe(), client)
    }

    /// Runs the provider's code.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        cx: &Context,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Diagnostics> {
        let busy = self.busy.clone();
        let mut task = tokio::spawn(async move {
            let _busy = busy;
            work.await
        });
        let patience = async {
            cx.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        let ended = tokio::select! {
            biased;
            ended = &mut task => ended,
            () = patience => {
                task.abort();
                // It ends at its next await. Code that blocks never gets there; then nobody waits for it.
                match tokio::time::timeout(Duration::from_secs(1), task).await {
                    Ok(ended) => ended,
                    Err(_) => return Err(interrupted(self.grace)),
                }
            }
        };
        ended.map_err(|error| match error.try_into_panic() {
            Ok(panic) => panicked(&*panic),
            Err(_) => interrupted(self.grace),
        })
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Diagnostics {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    let detail = format!(
        "This is a mistake in the provider, please report it with this text:\n{text}\n\n\
         What was known to exist by then is in the state."
    );
    Diagnostics::error("The provider panicked", detail)
}

fn interrupted(grace: Duration) -> Diagnostics {
    let detail = format!(
        "It did not end within {} s of being asked to, and was cut off. What was known to exist by then is in the \
         state.",
        grace.as_secs()
    );
    Diagnostics::error("The operation was interrupted", detail)
}
