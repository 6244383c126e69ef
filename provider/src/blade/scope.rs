//! Opens the project that a blade is in, and refuses a credential that works on another cloud or in another project.
//!
//! There "not found" says nothing of the blade: it would be forgotten while it runs.

use mkys_plugin::{Diagnostic, Diagnostics};

use super::project;
use super::state::{Id, Private};
use crate::cloud::services::keystone;
use crate::cloud::{Cloud, Identity, Session};

/// The blade's project.
#[derive(Debug)]
pub(super) struct Scope {
    /// A session within it.
    pub(super) session: Session,
    /// Keystone's project, where the blade has one of its own.
    pub(super) project: Option<keystone::Project>,
}

/// Opens a blade's project. `None`: it was made for the blade, and is gone.
pub(super) async fn open(
    cloud: &Cloud,
    id: &Id,
    is_made: bool,
    private: &Private,
) -> Result<Option<Scope>, Diagnostics> {
    let own = cloud.own();
    let identity = own.identity().await?;
    check_cloud(id, private, &identity)?;
    if !is_made {
        check_project(id, &identity)?;
        return Ok(Some(Scope {
            session: own,
            project: None,
        }));
    }
    let Some(found) = keystone::project(&own, &id.project).await? else {
        return Ok(None);
    };
    project::enter(&own, &id.project).await?;
    Ok(Some(Scope {
        session: cloud.project(&id.project),
        project: Some(found),
    }))
}

fn check_cloud(id: &Id, private: &Private, identity: &Identity) -> Result<(), Diagnostic> {
    let (Some(known), Some(here)) = (private.cloud.as_deref(), identity.cloud()) else {
        return Ok(());
    };
    if known == here {
        return Ok(());
    }
    let detail = format!(
        "Its state tells of the cloud whose Keystone has the service id {known}, and the provider's credential is of one with {here}. Nothing \
         was looked at or changed. Next: give the provider the credential of the blade's own cloud (`cloud`, OS_CLOUD); or, if that cloud is \
         gone for good, forget the blade with `terraform state rm`."
    );
    let summary = format!("Blade {} is on another cloud", id.name);
    Err(Diagnostic::error(summary, detail))
}

fn check_project(id: &Id, identity: &Identity) -> Result<(), Diagnostic> {
    let here = identity.project.clone().unwrap_or_default();
    if here.id == id.project {
        return Ok(());
    }
    let detail = format!(
        "It was built in project {}, and the provider's credential works in project {} ({:?}). Nothing was looked at or changed. Next: give \
         the provider a credential of the blade's project (`cloud`, OS_CLOUD, OS_PROJECT_NAME).",
        id.project, here.id, here.name
    );
    let summary = format!("Blade {} is in another project", id.name);
    Err(Diagnostic::error(summary, detail))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn identity(project: &str, keystone: &str) -> Identity {
        let text: Value = json!({
            "expires_at": "2999-01-01T00:00:00Z", "user": { "id": "u" }, "project": { "id": project, "name": "p-two" },
            "catalog": [{ "type": "identity", "id": keystone, "endpoints": [] }],
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn credential_of_another_project_is_refused_with_both_named() {
        let id: Id = "one/a".parse().unwrap();
        assert!(check_project(&id, &identity("one", "k")).is_ok());
        let refused = check_project(&id, &identity("two", "k"))
            .unwrap_err()
            .to_string();
        for word in [
            "Blade a is in another project",
            "project one",
            "project two (\"p-two\")",
        ] {
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }

    #[test]
    fn credential_of_another_cloud_is_refused() {
        let id: Id = "one/a".parse().unwrap();
        let of = |cloud: Option<&str>| Private {
            cloud: cloud.map(str::to_owned),
            ..Private::default()
        };
        for (known, is_refused) in [(None, false), (Some("k"), false), (Some("other"), true)] {
            let checked = check_cloud(&id, &of(known), &identity("one", "k"));
            assert_eq!(checked.is_err(), is_refused, "{known:?}");
        }
    }
}
