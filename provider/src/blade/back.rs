//! Putting the version before back after a change that failed.

use mkys_blade::effect::Permit;
use mkys_plugin::Context;
use tokio::time::Instant;

use super::asking;
use super::stack::{self, Ended};
use crate::cloud::Session;
use crate::cloud::services::heat::{Stack, Wanted};

/// Does it, or says why not. Twice: Heat may stumble over what the failed change still has under way, and going back is what is promised.
pub(super) async fn put_back(
    session: &Session,
    stack: &Stack,
    target: &Wanted<'_>,
    permit: &Permit<'_>,
    deadline: Instant,
    cx: &Context,
) -> Result<(), String> {
    let name = &stack.stack_name;
    tracing::info!(stack = name, "putting the version before back");
    let mut again = true;
    loop {
        // its reasons are not those for which the change failed
        let since = stack::newest_event(session, stack)
            .await
            .map_err(|error| error.told())?;
        match asking::updated(session, stack, target, permit, &since, deadline, cx).await {
            Ok(Ended::Complete(_)) => return Ok(()),
            Ok(Ended::Failed { stack, reasons }) => {
                let (id, status, reasons) = (stack.id, stack.stack_status, reasons.join("; "));
                let failed = format!("stack {id} is {status}: {reasons}");
                if !std::mem::take(&mut again) {
                    return Err(failed);
                }
                tracing::warn!(stack = name, failed, "once more");
            }
            Ok(Ended::Gone) => return Err("the stack is gone".to_owned()),
            Err(gave_up) => {
                return Err(format!("stack {} did not settle: {gave_up}", stack.id));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use mkys_blade::Template;
    use serde_json::{Value, json};
    use wiremock::matchers::{method, path_regex};
    use wiremock::{Mock, Request, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    /// The stack after so many updates, of which the first `fail`.
    fn stack(updates: usize, fail: usize) -> Value {
        let failed = json!({ "id": "1", "stack_name": "b", "stack_status": "UPDATE_FAILED",
            "stack_status_reason": format!("reason {updates}"), "updated_time": updates.to_string() });
        let complete = json!({ "id": "1", "stack_name": "b", "stack_status": "UPDATE_COMPLETE",
            "updated_time": updates.to_string() });
        if updates <= fail { failed } else { complete }
    }

    /// Goes back at a Heat whose first updates fail; how many were asked for, and what came of it.
    async fn goes_back(fail: usize) -> (usize, Result<(), String>) {
        let (heat, cloud) = mock::cloud().await;
        let updates = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&updates);
        let update = Mock::given(method("PATCH")).respond_with(move |_: &Request| {
            count.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(202)
        });
        update.mount(&heat).await;
        for kind in ["events", "resources"] {
            let none = ResponseTemplate::new(200).set_body_json(json!({ kind: [] }));
            let at = Mock::given(method("GET")).and(path_regex(format!("/{kind}$")));
            at.respond_with(none).mount(&heat).await;
        }
        let standing = json!({ "heat_template_version": "2018-08-31" });
        let standing = ResponseTemplate::new(200).set_body_json(standing);
        let at = Mock::given(method("GET")).and(path_regex("/template$"));
        at.respond_with(standing).mount(&heat).await;
        let asked = Arc::clone(&updates);
        let status = Mock::given(method("GET")).respond_with(move |_: &Request| {
            let stack = stack(asked.load(Ordering::SeqCst), fail);
            ResponseTemplate::new(200).set_body_json(json!({ "stack": stack }))
        });
        status.mount(&heat).await;
        let empty = json!({ "heat_template_version": "2018-08-31" });
        let template: Template = serde_json::from_value(empty).unwrap();
        let target = Wanted {
            template: &template,
            parameters: &BTreeMap::new(),
            tags: "",
            rollback: false,
            minutes: 1,
            protected: BTreeSet::new(),
        };
        let none = BTreeSet::new();
        let permit = Permit {
            stands: &template,
            wanted: &template,
            replacements: &[],
            gone: &none,
        };
        let failed: Stack = serde_json::from_value(stack(0, fail)).unwrap();
        let cx = Context::detached();
        let deadline = Instant::now() + Duration::from_secs(60);
        let back = put_back(&cloud.own(), &failed, &target, &permit, deadline, &cx).await;
        (updates.load(Ordering::SeqCst), back)
    }

    #[tokio::test]
    async fn the_version_before_is_put_back_once_where_heat_does_it() {
        assert_eq!(goes_back(0).await, (1, Ok(())));
    }

    #[tokio::test]
    async fn it_is_put_back_by_a_second_try_where_the_first_fails() {
        assert_eq!(goes_back(1).await, (2, Ok(())));
    }

    #[tokio::test]
    async fn after_two_it_is_said_why_not() {
        let said = "stack 1 is UPDATE_FAILED: reason 2".to_owned();
        assert_eq!(goes_back(2).await, (2, Err(said)));
    }
}
