//! Asking Heat for a change of a stack, such that it takes it and can do it.
//!
//! Heat says that a change failed a moment before it lets go of it. What it is asked for between the two it accepts with 202, finds that
//! the stack was written to meanwhile, and drops with a line in its own log ("Failed to store stack … with traversal ID", in
//! `heat.engine.stack.Stack.converge_stack`): the stack stays failed, and nobody is told. So we look whether the change began.

use mkys_blade::effect::Permit;
use mkys_plugin::Context;
use tokio::time::Instant;

use super::stack::{self, Ended};
use super::waiting::{GaveUp, Patience};
use super::{stopping, unplanned};
use crate::cloud::Session;
use crate::cloud::services::heat::{self, Stack, Wanted};

/// How often what Heat dropped is asked for again; the moment lasts for one write to its database.
const TRIES: u32 = 10;

/// What Heat is asked for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Update(&'a Wanted<'a>),
    Deletion,
}

/// Starts an update of a stack of which nothing has served yet.
pub(super) async fn update_unserved(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
    deadline: Instant,
    cx: &Context,
) -> Result<(), GaveUp> {
    let patience = Patience::new(deadline, cx);
    taken(session, stack, Asked::Update(wanted), patience).await
}

/// Updates a stack within what `permit` allows, and waits until Heat is done. `since` is as [`stack::settled`] has it.
pub(super) async fn updated(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
    permit: &Permit<'_>,
    since: &str,
    deadline: Instant,
    cx: &Context,
) -> Result<Ended, GaveUp> {
    let guarded = Wanted {
        protected: unplanned::check(session, stack, wanted, permit).await?,
        ..wanted.clone()
    };
    update_unserved(session, stack, &guarded, deadline, cx).await?;
    stack::settled(session, stack, since, deadline, cx).await
}

/// Starts a stack's end.
pub(super) async fn delete(
    session: &Session,
    stack: &Stack,
    deadline: Instant,
    cx: &Context,
) -> Result<(), GaveUp> {
    let patience = Patience::new(deadline, cx);
    taken(session, stack, Asked::Deletion, patience).await
}

/// Deletes a stack, and waits until Heat is done. `since` is as [`stack::settled`] has it.
pub(super) async fn deleted(
    session: &Session,
    stack: &Stack,
    since: &str,
    deadline: Instant,
    cx: &Context,
) -> Result<Ended, GaveUp> {
    delete(session, stack, deadline, cx).await?;
    stack::settled(session, stack, since, deadline, cx).await
}

async fn taken(
    session: &Session,
    stack: &Stack,
    asked: Asked<'_>,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    let (name, id) = (&stack.stack_name, &stack.id);
    let what = match asked {
        Asked::Update(_) => "update",
        Asked::Deletion => "deletion",
    };
    let goes = |name: &str| match asked {
        Asked::Update(wanted) => !wanted.template.resources.contains_key(name),
        Asked::Deletion => true,
    };
    let losing = stopping::losing_volumes(session, stack, goes).await?;
    if let (Asked::Update(wanted), false) = (asked, losing.is_empty()) {
        // no server is stopped for an update that Heat would not take
        heat::check_update(session, stack, wanted).await?;
    }
    stopping::stop(session, &losing, patience).await?;
    let dropped = || format!("Heat accepts each {what} of stack {name} ({id}) and begins none");
    let before = heat::status(session, stack).await?;
    let before = before.and_then(|stack| stack.updated_time);
    for _ in 0..TRIES {
        match asked {
            Asked::Update(wanted) => heat::update(session, stack, wanted).await?,
            Asked::Deletion => heat::delete(session, stack).await?,
        }
        match heat::status(session, stack).await? {
            // a deletion may end before it is looked at
            Some(now) if now.stack_status == "DELETE_COMPLETE" => return Ok(()),
            // each change that begins has a time of its own
            Some(now) if !now.is_busy() && now.updated_time == before => {}
            _ => return Ok(()),
        }
        tracing::info!(stack = name, "Heat dropped the {what}");
        patience.pause(dropped).await?;
    }
    Err(GaveUp::Stuck(dropped()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use mkys_blade::Template;
    use serde_json::json;
    use wiremock::matchers::{method, path_regex};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    const BEFORE: &str = "2026-01-01T10:00:00Z";
    const BEGUN: &str = "2026-01-01T10:05:00Z";

    /// Asks for an update of a Heat that tells this of its stack, one after the other; how often it was asked for, and what came of it.
    async fn asks(told: &[(&str, Option<&str>)]) -> (usize, Result<(), GaveUp>) {
        let (heat, cloud) = mock::cloud().await;
        let stack = |(status, updated): (&str, Option<&str>)| json!({ "id": "1", "stack_name": "b", "stack_status": status, "updated_time": updated });
        let accepted = ResponseTemplate::new(202);
        let put = Mock::given(method("PATCH")).respond_with(accepted);
        put.mount(&heat).await;
        let none = ResponseTemplate::new(200).set_body_json(json!({ "resources": [] }));
        let resources = Mock::given(method("GET")).and(path_regex("/resources$"));
        resources.respond_with(none).mount(&heat).await;
        for (index, one) in told.iter().enumerate() {
            let body = json!({ "stack": stack(*one) });
            let answer = ResponseTemplate::new(200).set_body_json(body);
            let mut mock = Mock::given(method("GET")).respond_with(answer);
            if index + 1 < told.len() {
                mock = mock.up_to_n_times(1);
            }
            mock.mount(&heat).await;
        }
        let empty = json!({ "heat_template_version": "2018-08-31" });
        let template: Template = serde_json::from_value(empty).unwrap();
        let wanted = Wanted {
            template: &template,
            parameters: &BTreeMap::new(),
            tags: "",
            rollback: false,
            minutes: 1,
            protected: BTreeSet::new(),
        };
        let stack: Stack = serde_json::from_value(stack(told[0])).unwrap();
        let cx = Context::detached();
        let deadline = Instant::now() + Duration::from_secs(60);
        let ended = update_unserved(&cloud.own(), &stack, &wanted, deadline, &cx).await;
        let asked = mock::asked(&heat).await;
        let puts = asked.iter().filter(|one| one.starts_with("PATCH"));
        (puts.count(), ended)
    }

    #[tokio::test]
    async fn an_update_that_heat_dropped_is_asked_for_again() {
        let failed = ("UPDATE_FAILED", Some(BEFORE));
        let (times, ended) = asks(&[failed, failed, ("UPDATE_IN_PROGRESS", Some(BEGUN))]).await;
        assert_eq!((times, ended.is_ok()), (2, true));
    }

    #[tokio::test]
    async fn one_that_began_is_not_however_soon_it_ended() {
        for begun in [
            ("UPDATE_IN_PROGRESS", Some(BEFORE)),
            ("UPDATE_COMPLETE", Some(BEGUN)),
            ("UPDATE_FAILED", Some(BEGUN)),
        ] {
            let (times, ended) = asks(&[("CREATE_COMPLETE", None), begun]).await;
            assert_eq!((times, ended.is_ok()), (1, true), "{begun:?}");
        }
    }

    #[tokio::test]
    async fn deletion_that_ends_at_once_is_done() {
        let (heat, cloud) = mock::cloud().await;
        let stack = |status| json!({ "id": "1", "stack_name": "b", "stack_status": status, "updated_time": BEFORE });
        for (verb, body) in [
            ("DELETE", json!({})),
            (
                "GET",
                json!({ "stack": stack("DELETE_COMPLETE"), "resources": [] }),
            ),
        ] {
            let answer = ResponseTemplate::new(200).set_body_json(body);
            Mock::given(method(verb))
                .respond_with(answer)
                .mount(&heat)
                .await;
        }
        let stack: Stack = serde_json::from_value(stack("DELETE_IN_PROGRESS")).unwrap();
        let cx = Context::detached();
        let deadline = Instant::now() + Duration::from_secs(60);
        let ended = deleted(&cloud.own(), &stack, "", deadline, &cx)
            .await
            .unwrap();
        assert!(matches!(ended, Ended::Gone), "{ended:?}");
        let asked = mock::asked(&heat).await;
        assert_eq!(
            asked.iter().filter(|one| one.starts_with("DELETE")).count(),
            1
        );
    }

    #[tokio::test]
    async fn it_is_not_asked_for_without_end() {
        let (times, ended) = asks(&[("UPDATE_FAILED", Some(BEFORE))]).await;
        assert_eq!(times, TRIES as usize);
        let said = ended.unwrap_err().to_string();
        assert!(said.contains("accepts each update of stack b"), "{said}");
    }
}
