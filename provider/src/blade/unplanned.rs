//! Checks before each update of a stack that Heat takes away nothing but what the plan named.
//!
//! Heat replaces at any update what it holds for unhealthy, and its word may be old: `openstack stack check` met a volume in a passing
//! state. So the failed status is taken off what the state of the cloud does not confirm as lost, and the effect of the update on every
//! standing resource is worked out before it is sent.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::Template;
use mkys_blade::effect::{self, Effect, Permit, Surprise};

use super::stack::part;
use super::waiting::GaveUp;
use crate::cloud::services::heat::{self, Stack, StackResource, Wanted};
use crate::cloud::{CloudError, Session};

/// Puts wrong statuses right, and refuses an update with effects that are no part of the change. Returns the resources that Heat is to be
/// kept from replacing.
pub(super) async fn check(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
    permit: &Permit<'_>,
) -> Result<BTreeSet<String>, GaveUp> {
    let before = heat::template(session, stack).await?;
    let resources = heat::resources(session, stack).await?;
    let statuses = put_right(session, stack, &resources, permit).await?;
    let changed = changed_parameters(session, stack, wanted).await?;
    let effects = effect::effects(&before, wanted.template, &statuses, &changed);
    let surprises = permit.surprises(&before, effects);
    match surprises.is_empty() {
        true => Ok(permit.protected(&statuses)),
        false => Err(GaveUp::Unplanned(described(&surprises))),
    }
}

/// A failed status of something that is there.
pub(super) struct Misjudged {
    /// The resource.
    pub(super) resource: String,
    /// The fact, in words.
    pub(super) said: String,
}

/// The resources of a stack with a failed status whose things are not in `gone`.
pub(super) async fn misjudged(
    session: &Session,
    stack: &Stack,
    template: &Template,
    gone: &BTreeSet<String>,
) -> Result<Vec<Misjudged>, CloudError> {
    let statuses = statuses(&heat::resources(session, stack).await?);
    let permit = Permit {
        stands: template,
        wanted: template,
        replacements: &[],
        gone,
    };
    let misjudged = permit.misjudged(&statuses).map(|name| {
        let status = statuses.get(name).map_or("", String::as_str);
        Misjudged {
            resource: name.clone(),
            said: format!(
                "Heat holds {} for unhealthy ({status}), and it is there",
                part(name)
            ),
        }
    });
    Ok(misjudged.collect())
}

/// Takes the failed status off what is there. Returns the statuses as they are then.
pub(super) async fn put_right(
    session: &Session,
    stack: &Stack,
    resources: &[StackResource],
    permit: &Permit<'_>,
) -> Result<BTreeMap<String, String>, CloudError> {
    let mut statuses = statuses(resources);
    let misjudged: Vec<_> = permit.misjudged(&statuses).cloned().collect();
    for name in misjudged {
        let Some(resource) = resources.iter().find(|one| one.resource_name == name) else {
            continue;
        };
        tracing::info!(
            resource = name,
            status = resource.resource_status,
            "taking a wrong status off"
        );
        heat::mark_healthy(session, stack, resource, "MKYS looked: it is there").await?;
        statuses.insert(name, "CHECK_COMPLETE".to_owned());
    }
    Ok(statuses)
}

/// Heat's statuses by resource.
fn statuses(resources: &[StackResource]) -> BTreeMap<String, String> {
    let each = resources.iter();
    each.map(|one| (one.resource_name.clone(), one.resource_status.clone()))
        .collect()
}

/// The parameters that get another value, as far as Heat shows the one that they have.
async fn changed_parameters(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
) -> Result<BTreeSet<String>, GaveUp> {
    let standing = heat::outputs(session, stack).await?;
    let standing = standing.map(|stack| stack.visible_parameters());
    let standing = standing.unwrap_or_default();
    let known = wanted.known_parameters().into_iter();
    let changed =
        known.filter(|(name, value)| standing.get(*name).is_some_and(|old| old != *value));
    Ok(changed.map(|(name, _)| name.clone()).collect())
}

fn described(surprises: &[Surprise]) -> String {
    let each = surprises.iter().map(|Surprise { resource, effect }| {
        let what = part(resource);
        match effect {
            Effect::Replaced(cause) => format!("- {what} would be replaced: {cause}"),
            Effect::Released => format!("- {what} would be let go of"),
            _ => format!("- {what} would be deleted"),
        }
    });
    format!(
        "Heat would take away what the plan does not name:\n{}\nNothing was sent to Heat for this step. Next: `terraform plan` again; if \
         it does not show these, look at them in OpenStack (`openstack stack resource list`) and put them right first.",
        each.collect::<Vec<_>>().join("\n")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};
    use wiremock::matchers::{method, path_regex};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    fn template(size: u32) -> Template {
        let text = json!({ "heat_template_version": "2018-08-31", "resources": {
            "volume-data_db": { "type": "OS::Cinder::Volume", "properties": { "size": size } },
        } });
        serde_json::from_value(text).unwrap()
    }

    /// Checks an update of a stack whose volume has this status; the bodies of the PATCH calls, and the outcome.
    async fn checks(
        status: &str,
        gone: bool,
        wanted: &Template,
    ) -> (Vec<Value>, Result<BTreeSet<String>, GaveUp>) {
        let (heat, cloud) = mock::cloud().await;
        let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        let stack = json!({ "id": "1", "stack_name": "b", "stack_status": "CHECK_FAILED" });
        let volume = json!({ "resource_name": "volume-data_db", "resource_type": "OS::Cinder::Volume",
            "physical_resource_id": "v", "resource_status": status });
        for (path, body) in [
            ("/template$", serde_json::to_value(template(1)).unwrap()),
            ("/resources$", json!({ "resources": [volume] })),
            ("/b/1$", json!({ "stack": stack })),
        ] {
            let at = Mock::given(method("GET")).and(path_regex(path));
            at.respond_with(answer(body)).mount(&heat).await;
        }
        Mock::given(method("PATCH"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&heat)
            .await;
        let stack: Stack = serde_json::from_value(stack).unwrap();
        let gone = BTreeSet::from_iter(gone.then(|| "volume-data_db".to_owned()));
        let stands = template(1);
        let permit = Permit {
            stands: &stands,
            wanted,
            replacements: &[],
            gone: &gone,
        };
        let target = Wanted {
            template: wanted,
            parameters: &BTreeMap::new(),
            tags: "",
            rollback: true,
            minutes: 1,
            protected: BTreeSet::new(),
        };
        let outcome = check(&cloud.own(), &stack, &target, &permit).await;
        let asked = heat.received_requests().await.unwrap();
        let patches = asked.iter().filter(|one| one.method.as_str() == "PATCH");
        (
            patches.map(|one| one.body_json().unwrap()).collect(),
            outcome,
        )
    }

    #[tokio::test]
    async fn wrong_status_is_taken_off_before_an_update() {
        let marks = async |status| {
            let (patches, outcome) = checks(status, false, &template(2)).await;
            let protected = outcome.unwrap_or_else(|error| panic!("{status}: {error}"));
            assert_eq!(protected, BTreeSet::from(["volume-data_db".to_owned()]));
            let marks = patches
                .iter()
                .map(|one| one["mark_unhealthy"].as_bool().unwrap());
            marks.collect::<Vec<_>>()
        };
        assert_eq!(marks("CREATE_COMPLETE").await, [false; 0]);
        assert_eq!(marks("CHECK_FAILED").await, [false]);
        assert_eq!(marks("UPDATE_FAILED").await, [true, false]);
    }

    #[tokio::test]
    async fn volume_known_as_gone_is_left_to_heat() {
        let (patches, outcome) = checks("CHECK_FAILED", true, &template(1)).await;
        assert!(
            outcome.unwrap().is_empty() && patches.is_empty(),
            "{patches:?}"
        );
    }

    #[tokio::test]
    async fn unplanned_replacement_is_refused_by_name() {
        let (_, outcome) = checks("DELETE_FAILED", false, &template(1)).await;
        let said = outcome.unwrap_err().to_string();
        let expected = "- volume \"data\" of server \"db\" would be replaced: its status at Heat is DELETE_FAILED";
        assert!(said.contains(expected), "{said}");
    }
}
