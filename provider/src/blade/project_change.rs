//! Changing a blade's project in an update, such that it can be taken back: an update that fails leaves quota and users as they were,
//! like the servers.

use mkys_blade::{Blade as Definition, Project};
use mkys_plugin::{Context, Diagnostics};

use super::create::valid;
use super::model::Model;
use super::project::{self, People};
use super::state::Id;
use crate::cloud::Session;
use crate::cloud::services::quota;
use crate::platform::Configured;

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
    /// Puts the project as the definition has it. Gives what there is to take back; what failed is taken back at once.
    pub(super) async fn make(
        configured: &Configured,
        own: &Session,
        id: &Id,
        wanted: &Definition,
        stated: &Project,
        prior: &Model,
        cx: &Context,
    ) -> Result<Option<Self>, Diagnostics> {
        let people = project::people(configured, own, stated).await?;
        let before = valid(prior).ok();
        let was = before.as_ref().and_then(|before| before.project.as_ref());
        let change = match (&before, was) {
            (Some(before), Some(was)) => {
                // a user who is gone from the cloud can't be put back, and must not stop the update
                let mut ignored = Diagnostics::new();
                let people = project::look_up(configured, own, was, &mut ignored).await?;
                Self::prepare(own, &id.project, before, wanted, people).await?
            }
            _ => None,
        };
        let changed = async {
            project::describe(own, &id.project, wanted).await?;
            project::apply(own, &wanted.name, &id.project, stated, was, &people).await
        };
        match (changed.await, change) {
            (Ok(stays), change) => {
                stays.into_iter().for_each(|warning| cx.warn(warning));
                Ok(change)
            }
            (Err(problems), None) => Err(problems),
            (Err(problems), Some(change)) => Err(match change.take_back().await {
                Ok(_) => problems,
                Err(stayed) => noted(problems, &format!("Not undone: {stayed}.")),
            }),
        }
    }

    /// Looks at what there is to take back; `before` as the state has it, `people` of it.
    async fn prepare(
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
        // its text may be a sensitive value's
        let description = match now {
            "again" => "as before",
            "now" => "the new one",
            _ => "still the new one",
        };
        all.push(format!("description is {description}"));
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

/// Adds a sentence to the first of some problems: one cause is one error.
pub(super) fn noted(problems: Diagnostics, note: &str) -> Diagnostics {
    let mut problems: Vec<_> = problems.into_iter().collect();
    if let Some(first) = problems.first_mut() {
        if !first.detail.is_empty() {
            first.detail.push('\n');
        }
        first.detail.push_str(note);
    }
    problems.into_iter().collect()
}
