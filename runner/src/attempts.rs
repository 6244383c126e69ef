//! What of failures is tried again: what came from outside and may not come again, never what the command itself did.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::executor::Executor;
use crate::outcome::Outcome;
use crate::runner::{Runner, StartError};
use crate::spec::Computation;
use crate::verdict::{Cause, Verdict};

/// How often a computation is tried, and after which failures.
///
/// ```
/// use mkys_runner::{Attempts, Cause};
///
/// let attempts = Attempts::builder().most(5).causes([Cause::Evicted, Cause::Quota].into()).build();
/// ```
#[derive(Clone, Debug, bon::Builder)]
pub struct Attempts {
    /// How many there are at most, the first among them; three by default.
    #[builder(default = 3)]
    pub most: u32,
    /// After which failures; by default when its node or a person took it away, or a registry did not give its image.
    #[builder(default = [Cause::Evicted, Cause::NodeLost, Cause::ImageRefused].into())]
    pub causes: BTreeSet<Cause>,
    /// Whether also after one of which nobody knows how it ended; it may have done its work. By default.
    #[builder(default = true)]
    pub lost: bool,
    /// Before the second; twice as long before each one after it, and never longer than a minute. A second by default.
    #[builder(default = Duration::from_secs(1))]
    pub pause: Duration,
}

impl Default for Attempts {
    fn default() -> Self {
        Self::builder().build()
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Attempts {
    /// How long to wait before the next attempt, after so many; `None` when there is to be none.
    #[must_use]
    pub fn again(&self, made: u32, verdict: &Verdict) -> Option<Duration> {
        let is_passing = match verdict {
            Verdict::Succeeded => false,
            Verdict::Failed(failure) => self.causes.contains(&failure.cause),
            Verdict::Lost { .. } => self.lost,
        };
        let doubled = made.saturating_sub(1).min(16);
        let pause = self.pause.saturating_mul(1 << doubled).min(LONGEST_PAUSE);
        (is_passing && made < self.most).then_some(pause)
    }
}

impl<E: Executor> Runner<E> {
    /// Runs a computation until an attempt ends in a way that is not tried again. Gives the outcomes of all attempts, the last one last;
    /// none when the runner itself ended before. Nothing of one is left when the next begins.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing more was started.
    pub async fn attempt(
        &self,
        computation: &Computation,
        attempts: &Attempts,
    ) -> Result<Vec<Arc<Outcome>>, StartError> {
        let mut outcomes = Vec::new();
        loop {
            let run = self.compute(computation.clone()).await?;
            let Some(outcome) = run.finish().await else {
                return Ok(outcomes);
            };
            let made = u32::try_from(outcomes.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            let pause = attempts.again(made, &outcome.verdict);
            outcomes.push(outcome);
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(outcomes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Failure;

    fn failed(cause: Cause) -> Verdict {
        Failure::new(cause, "").into()
    }

    #[test]
    fn only_what_came_from_outside_is_tried_again() {
        let attempts = Attempts::default();
        let lost = Verdict::Lost {
            words: String::new(),
        };
        for verdict in [failed(Cause::Evicted), failed(Cause::NodeLost), lost] {
            assert!(attempts.again(1, &verdict).is_some(), "{verdict:?}");
            assert!(attempts.again(3, &verdict).is_none(), "{verdict:?}");
        }
        for cause in [
            Cause::Exit,
            Cause::OutOfMemory,
            Cause::Deadline,
            Cause::Cancelled,
        ] {
            assert!(attempts.again(1, &failed(cause)).is_none(), "{cause}");
        }
        assert!(attempts.again(1, &Verdict::Succeeded).is_none());
    }

    #[test]
    fn pauses_grow_up_to_a_minute() {
        let attempts = Attempts::builder().most(100).build();
        let pauses = [1, 2, 3, 7, 99].map(|made| attempts.again(made, &failed(Cause::Evicted)));
        let seconds = [1, 2, 4, 60, 60].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(pauses, seconds);
    }
}
