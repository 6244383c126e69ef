//! Changing a blade's project in an update, such that it can be taken back: an update that fails leaves quota and users as they were,
//! like the servers.

use mkys_blade::{Blade as Definition, Project};
use mkys_plugin::Diagnostics;

use super::project::{self, People};
use crate::cloud::Session;
use crate::cloud::services::quota;

/// A project as it was, and as the definition wants it.
#[derive(Debug)]
pub(super) struct ProjectChange {
    session: Session,
    id: String,
    before: Definition,
    after: Definition,
    people: People,
}

impl ProjectChange {
    /// Looks at what there is to take back; `before` as the state has it, `people` of it.
    pub(super) async fn prepare(
        session: &Session,
        id: &str,
        before: &Definition,
        after: &Definition,
        people: People,
    ) -> Result<Option<Self>, Diagnostics> {
        let mut before = before.clone();
        let (Some(was), Some(wanted)) = (&mut before.project, &after.project) else {
            return Ok(None);
        };
        if was == wanted && before.description == after.description {
            return Ok(None);
        }
        // a limit that the definition did not set has a value as well, the cloud's default
        if was.quota != wanted.quota {
            was.quota = wanted.quota.observed(&quota::get(session, id).await?);
        }
        Ok(Some(Self {
            session: session.clone(),
            id: id.to_owned(),
            before,
            after: after.clone(),
            people,
        }))
    }

    /// Puts the project back as it was, and says so; or says what stayed, and why.
    pub(super) async fn take_back(self) -> Result<String, String> {
        let Self {
            session,
            id,
            before,
            after,
            people,
        } = &self;
        let back = async {
            project::describe(session, id, before).await?;
            let (name, was) = (&before.name, before.project.as_ref());
            match was {
                Some(was) => {
                    let after = after.project.as_ref();
                    project::apply(session, name, id, was, after, people).await
                }
                None => Ok(None),
            }
        };
        match back.await {
            Ok(_) => Ok(said(before, after, "again")),
            Err(problems) => Err(format!("{}: {problems}", said(after, before, "still"))),
        }
    }

    /// What the project has of the definition, and did not have before.
    pub(super) fn in_place(&self) -> String {
        said(&self.after, &self.before, "now")
    }
}

/// What of a project differs from another, as it is `now`: "project.quota.cores is 4 again".
fn said(is: &Definition, other: &Definition, now: &str) -> String {
    let mut all = Vec::new();
    if let (Some(is), Some(other)) = (&is.project, &other.project) {
        all.extend(limits(is, other, now));
        let Project {
            group,
            role,
            users,
            quota: _,
        } = is;
        if *group != other.group {
            all.push(format!("project.group is {group:?} {now}"));
        }
        if *role != other.role {
            all.push(format!("project.role is {role:?} {now}"));
        }
        if *users != other.users {
            let users: Vec<_> = users.iter().map(|user| format!("{user:?}")).collect();
            all.push(format!("project.users are [{}] {now}", users.join(", ")));
        }
    }
    if is.description != other.description {
        all.push(format!("description is {:?} {now}", is.description));
    }
    all.join("; ")
}

fn limits(is: &Project, other: &Project, now: &str) -> Vec<String> {
    let pairs = is.quota.entries().into_iter().zip(other.quota.entries());
    let differ = pairs.filter(|((_, is), (_, other))| is != other);
    let each = differ.filter_map(|((name, is), _)| Some((name, is?)));
    each.map(|(name, limit)| format!("project.quota.{name} is {limit} {now}"))
        .collect()
}
