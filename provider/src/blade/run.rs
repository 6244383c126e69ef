//! Several runs that create one blade: one of them does, the others say so.
//!
//! An unfinished blade is either what a killed run left, which is taken over, or what another run is making just now. Both look alike; but
//! a run that lives marks its blade as whole, or takes it away, within a second of Heat's end. So an unfinished blade is watched for a
//! moment once nothing of it is under way any more.

use std::time::Duration;

use mkys_blade::BladeName;
use mkys_plugin::{Diagnostic, Diagnostics};
use tokio::time::Instant;
use uuid::Uuid;

use super::stack;
use super::waiting::Patience;
use super::{plan, project};
use crate::cloud::Session;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::keystone;

/// How long an unfinished blade must stay as it is to count as abandoned. Between two steps that others see a run makes some ten calls.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// A mark by which one run of a creation is told from others.
#[derive(Debug)]
pub(super) struct Run(String);

impl Run {
    /// A run with this random number.
    pub(super) fn new(random: Uuid) -> Self {
        let digits = random.simple().to_string();
        Self(format!("mkys-run-{}", digits.get(..12).unwrap_or(&digits)))
    }

    /// The mark.
    pub(super) fn mark(&self) -> &str {
        &self.0
    }

    /// A stack's marks, with the run's own.
    pub(super) fn with(&self, marks: &str) -> String {
        format!("{marks},{}", self.0)
    }

    /// Whether this run was the last to ask for a stack.
    pub(super) fn is_of(&self, stack: &Stack) -> bool {
        stack.has_tag(&self.0)
    }

    /// Waits until an unfinished blade is abandoned for certain. `project` is the one that was made for it. Another run that makes it is an
    /// error.
    pub(super) async fn wait_for_others(
        &self,
        own: &Session,
        inside: &Session,
        name: &BladeName,
        project: Option<&str>,
        mut patience: Patience<'_>,
    ) -> Result<(), Diagnostics> {
        let mut seen = None;
        let mut since = Instant::now();
        loop {
            let stack = heat::stack(inside, name.as_ref()).await?;
            let is_whole = match (project, &stack) {
                (Some(id), _) => match keystone::project(own, id).await? {
                    Some(project) => !project::is_unfinished(&project),
                    None => return Err(undone(name.as_ref()).into()),
                },
                (None, Some(stack)) => !stack::is_unfinished(inside, stack).await?,
                (None, None) => return Err(undone(name.as_ref()).into()),
            };
            if is_whole {
                return Err(taken(name.as_ref()).into());
            }
            let is_busy = stack.as_ref().is_some_and(Stack::is_busy);
            let now = stack.map(|stack| (stack.id, stack.stack_status, stack.updated_time));
            if is_busy || seen.as_ref() != Some(&now) {
                seen = Some(now);
                since = Instant::now();
            }
            if since.elapsed() >= ABANDONED_AFTER {
                tracing::info!(blade = %name, "an unfinished blade that no other run is making");
                return Ok(());
            }
            let still = || "Heat is still at work on what another run began".to_owned();
            let doing = format!("looking whether another run is making blade {name}");
            let paused = patience.pause(still).await;
            paused.map_err(|gave_up| gave_up.diagnostics(&doing, "Apply again."))?;
        }
    }
}

/// The error of the run that did not make the blade.
pub(super) fn taken(name: &str) -> Diagnostic {
    let detail = "Another run has made it, or is making it, while this one was under way. This run has left it alone, and its state has no \
                  such blade. Next: import it (`terraform import`), or choose another name.";
    Diagnostic::error(format!("Blade {name} is another run's"), detail).at(plan::name())
}

fn undone(name: &str) -> Diagnostic {
    let detail = "Another run was making it while this one began, and has taken it away again. Nothing was made. Next: apply again.";
    Diagnostic::error(format!("Blade {name} was another run's"), detail).at(plan::name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_plugin::Context;
    use serde_json::{Value, json};
    use wiremock::matchers::{path, path_regex};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    fn stack(status: &str) -> Value {
        json!({ "stack": { "id": "1", "stack_name": "b", "stack_status": status, "updated_time": status } })
    }

    /// Waits while Heat and Keystone tell this, one after the other; seconds waited, and the outcome.
    async fn waits(told: &[(&str, Option<&[&str]>)]) -> (u64, Result<(), String>) {
        let (cloud, client) = mock::cloud().await;
        let own = client.own();
        own.identity().await.unwrap();
        for (index, (status, tags)) in told.iter().enumerate() {
            let heat = ResponseTemplate::new(200).set_body_json(stack(status));
            let keystone = match tags {
                Some(tags) => ResponseTemplate::new(200)
                    .set_body_json(json!({ "project": { "id": "p", "name": "b", "domain_id": "default", "tags": tags } })),
                None => ResponseTemplate::new(404),
            };
            let last = index + 1 == told.len();
            let once = |mock: Mock| if last { mock } else { mock.up_to_n_times(1) };
            once(Mock::given(path_regex("/stacks/b$")).respond_with(heat))
                .mount(&cloud)
                .await;
            once(Mock::given(path("/v3/projects/p")).respond_with(keystone))
                .mount(&cloud)
                .await;
        }
        let cx = Context::detached();
        let start = Instant::now();
        let patience = Patience::new(start + Duration::from_secs(120), &cx);
        let name = "b".try_into().unwrap();
        let run = Run::new(Uuid::nil());
        let ended = run
            .wait_for_others(&own, &own, &name, Some("p"), patience)
            .await;
        (
            start.elapsed().as_secs(),
            ended.map_err(|problems| problems.to_string()),
        )
    }

    const UNFINISHED: Option<&[&str]> = Some(&["mkys-blade", "mkys-creating"]);

    #[tokio::test]
    async fn abandoned_blade_is_taken_over_after_a_moment() {
        let (seconds, ended) = waits(&[("CREATE_COMPLETE", UNFINISHED)]).await;
        assert!(
            ended.is_ok() && (10..15).contains(&seconds),
            "{seconds} s: {ended:?}"
        );
    }

    #[tokio::test]
    async fn blade_that_another_run_finishes_is_refused() {
        let busy = ("CREATE_IN_PROGRESS", UNFINISHED);
        let whole = ("CREATE_COMPLETE", Some(["mkys-blade"].as_slice()));
        let (_, ended) = waits(&[busy, busy, whole]).await;
        assert!(ended.unwrap_err().contains("Blade b is another run's"));
        let (_, ended) = waits(&[busy, ("CREATE_FAILED", None)]).await;
        assert!(ended.unwrap_err().contains("has taken it away again"));
    }
}
