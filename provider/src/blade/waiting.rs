//! Waiting for what the cloud is at work on: how often to look, and when to give up.

use std::fmt;
use std::time::Duration;

use mkys_plugin::{Context, Diagnostic, Diagnostics};
use tokio::time::Instant;

use crate::cloud::CloudError;

/// Why waiting was given up.
#[derive(Debug)]
pub(super) enum GaveUp {
    /// The person pressed Ctrl-C.
    Cancelled,
    /// The limit was reached; what was still the case then.
    Late(String),
    /// What was waited for will not come; why.
    Stuck(String),
    /// It would take away more than the plan names; what.
    Unplanned(String),
    /// The cloud could not be asked.
    Cloud(CloudError),
}

impl From<CloudError> for GaveUp {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("it was interrupted"),
            Self::Late(said) => write!(f, "the time is up and {said}"),
            Self::Stuck(said) | Self::Unplanned(said) => f.write_str(said),
            Self::Cloud(error) => f.write_str(&error.told()),
        }
    }
}

impl GaveUp {
    /// What the person is told; `doing` such as "creating blade x".
    pub(super) fn diagnostics(self, doing: &str, next: &str) -> Diagnostics {
        match self {
            Self::Cancelled => {
                Diagnostic::error(format!("Interrupted while {doing}"), next.to_owned()).into()
            }
            Self::Late(said) => {
                let detail = format!("{said}. {next}");
                Diagnostic::error(format!("Time is up while {doing}"), detail).into()
            }
            Self::Stuck(said) => {
                let detail = format!("{said}. {next}");
                Diagnostic::error(format!("Stopped while {doing}"), detail).into()
            }
            // what was to be done next is not to be done
            Self::Unplanned(said) => {
                Diagnostic::error(format!("Refused to go on {doing}"), said).into()
            }
            // one cause is one error
            Self::Cloud(error) => {
                let detail = format!("{}\n{next}", error.told());
                Diagnostic::error(format!("Stopped while {doing}"), detail).into()
            }
        }
    }
}

/// The one policy by which what is under way is looked at again. A copy starts afresh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience<'a> {
    deadline: Instant,
    cx: &'a Context,
    next: Duration,
}

impl<'a> Patience<'a> {
    /// Until `deadline`, or until the person presses Ctrl-C.
    pub(super) fn new(deadline: Instant, cx: &'a Context) -> Self {
        Self {
            deadline,
            cx,
            next: Duration::from_millis(250),
        }
    }

    /// For whom.
    pub(super) fn context(&self) -> &'a Context {
        self.cx
    }

    /// Pauses before the next look; `still` says what is the case.
    pub(super) async fn pause(&mut self, still: impl FnOnce() -> String) -> Result<(), GaveUp> {
        if Instant::now() >= self.deadline {
            return Err(GaveUp::Late(still()));
        }
        tokio::select! {
            () = self.cx.cancelled() => return Err(GaveUp::Cancelled),
            () = tokio::time::sleep(self.next) => {}
        }
        // the services have nothing to wait on but this; Heat's own engine looks once a second
        self.next = (self.next * 5 / 4).min(Duration::from_secs(1));
        Ok(())
    }
}
