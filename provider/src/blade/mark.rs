//! The mark of a blade that is not whole yet, where the creation that set it could not take it off.

use mkys_blade::Blade as Definition;
use mkys_plugin::Context;

use super::state::Id;
use super::{project, stack};
use crate::cloud::Session;
use crate::cloud::services::heat::Stack;
use crate::cloud::services::keystone;

/// Takes the mark off. That it stays is a warning: the blade stands, and the next apply tries again.
pub(super) async fn take_off(
    own: &Session,
    session: &Session,
    wanted: &Definition,
    id: &Id,
    stack: &Stack,
    cx: &Context,
) {
    let marked = async {
        if wanted.project.is_none() {
            if stack::is_unfinished(session, stack).await? {
                stack::set_whole(session, stack).await?;
            }
            return Ok(None);
        }
        let project = keystone::project(own, &id.project).await?;
        Ok(match project.filter(project::is_unfinished) {
            Some(_) => project::finish(own, &id.project).await,
            None => None,
        })
    };
    let warning = marked
        .await
        .unwrap_or_else(|error| Some(project::unmarked(&error)));
    warning.into_iter().for_each(|warning| cx.warn(warning));
}
