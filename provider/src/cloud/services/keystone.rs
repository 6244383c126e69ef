//! Keystone: projects, groups, roles and who has them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::error::found;
use crate::cloud::identity::Reference;
use crate::cloud::{Call, CloudError, Service, Session};

/// A project.
#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain_id: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Marks on it.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A group.
#[derive(Clone, Debug, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whoever made it may say so here.
    #[serde(default)]
    pub description: String,
}

fn get(path: impl Into<String>) -> Call {
    Call::get(Service::Identity, path)
}

/// The project of a name in a domain.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn project_by_name(
    session: &Session,
    name: &str,
    domain: &str,
) -> Result<Option<Project>, CloudError> {
    let call = get("/projects")
        .query("name", name)
        .query("domain_id", domain)
        .key("projects");
    Ok(session.send::<Vec<Project>>(call).await?.into_iter().next())
}

/// The project of an id.
pub async fn project(session: &Session, id: &str) -> Result<Option<Project>, CloudError> {
    found(
        session
            .send(get(format!("/projects/{id}")).key("project"))
            .await,
    )
}

/// Makes a project.
pub async fn create_project(
    session: &Session,
    name: &str,
    domain: &str,
    description: &str,
    tags: &[String],
) -> Result<Project, CloudError> {
    let body = json!({ "project": {
        "name": name,
        "domain_id": domain,
        "description": description,
        "tags": tags,
    } });
    session
        .send(Call::post(Service::Identity, "/projects", body).key("project"))
        .await
}

/// Says what a project is for.
pub async fn describe(session: &Session, id: &str, description: &str) -> Result<(), CloudError> {
    let body = json!({ "project": { "description": description } });
    session
        .run(Call::patch(
            Service::Identity,
            format!("/projects/{id}"),
            body,
        ))
        .await
}

/// Sets all marks of a project.
pub async fn set_tags(session: &Session, id: &str, tags: &[String]) -> Result<(), CloudError> {
    let body = json!({ "tags": tags });
    session
        .run(Call::put(
            Service::Identity,
            format!("/projects/{id}/tags"),
            Some(body),
        ))
        .await
}

/// Takes a project away.
pub async fn delete_project(session: &Session, id: &str) -> Result<(), CloudError> {
    let call = Call::delete(Service::Identity, format!("/projects/{id}"));
    found(session.run(call).await).map(drop)
}

/// The group of a name in a domain.
pub async fn group_by_name(
    session: &Session,
    name: &str,
    domain: &str,
) -> Result<Option<Group>, CloudError> {
    let call = get("/groups")
        .query("name", name)
        .query("domain_id", domain)
        .key("groups");
    Ok(session.send::<Vec<Group>>(call).await?.into_iter().next())
}

/// Makes a group.
pub async fn create_group(
    session: &Session,
    name: &str,
    domain: &str,
    description: &str,
) -> Result<Group, CloudError> {
    let body = json!({ "group": {
        "name": name,
        "domain_id": domain,
        "description": description,
    } });
    session
        .send(Call::post(Service::Identity, "/groups", body).key("group"))
        .await
}

/// Takes a group away.
pub async fn delete_group(session: &Session, id: &str) -> Result<(), CloudError> {
    found(
        session
            .run(Call::delete(Service::Identity, format!("/groups/{id}")))
            .await,
    )
    .map(drop)
}

/// Where a group has a role: projects, domains, the cloud as a whole; each in words.
pub async fn scopes_of_group(session: &Session, group: &str) -> Result<Vec<String>, CloudError> {
    #[derive(Deserialize)]
    struct Assignment {
        scope: BTreeMap<String, Value>,
    }
    let call = get("/role_assignments")
        .query("group.id", group)
        .query("include_names", "true")
        .key("role_assignments");
    let all: Vec<Assignment> = session.send(call).await?;
    let scopes = all.iter().flat_map(|one| &one.scope);
    // an inherited role says so beside its scope
    let scopes = scopes.filter(|(kind, _)| !kind.contains(':'));
    let said: BTreeSet<_> = scopes
        .map(|(kind, scope)| match scope["name"].as_str() {
            Some(name) => format!("{kind} {name:?} ({})", scope["id"].as_str().unwrap_or("-")),
            None => kind.clone(),
        })
        .collect();
    Ok(said.into_iter().collect())
}

/// The user of a name in a domain.
pub async fn user_by_name(
    session: &Session,
    name: &str,
    domain: &str,
) -> Result<Option<Reference>, CloudError> {
    let call = get("/users")
        .query("name", name)
        .query("domain_id", domain)
        .key("users");
    Ok(session
        .send::<Vec<Reference>>(call)
        .await?
        .into_iter()
        .next())
}

/// A user by id.
pub async fn user(session: &Session, id: &str) -> Result<Option<Reference>, CloudError> {
    let call = get(format!("/users/{id}")).key("user");
    found(session.send(call).await)
}

/// The id of a domain, by its name.
pub async fn domain_by_name(session: &Session, name: &str) -> Result<Option<String>, CloudError> {
    let call = get("/domains").query("name", name).key("domains");
    let domains: Vec<Reference> = session.send(call).await?;
    Ok(domains.into_iter().next().map(|domain| domain.id))
}

/// All users of a domain, for a nearest name.
pub async fn user_names(session: &Session, domain: &str) -> Result<Vec<String>, CloudError> {
    let call = get("/users").query("domain_id", domain).key("users");
    let users: Vec<Reference> = session.send(call).await?;
    Ok(users.into_iter().map(|user| user.name).collect())
}

/// The users in a group.
pub async fn members(session: &Session, group: &str) -> Result<Vec<Reference>, CloudError> {
    session
        .send(get(format!("/groups/{group}/users")).key("users"))
        .await
}

/// Puts a user into a group.
pub async fn add_member(session: &Session, group: &str, user: &str) -> Result<(), CloudError> {
    let path = format!("/groups/{group}/users/{user}");
    session.run(Call::put(Service::Identity, path, None)).await
}

/// Takes a user out of a group.
pub async fn remove_member(session: &Session, group: &str, user: &str) -> Result<(), CloudError> {
    let path = format!("/groups/{group}/users/{user}");
    found(session.run(Call::delete(Service::Identity, path)).await).map(drop)
}

/// The role of a name.
pub async fn role_by_name(session: &Session, name: &str) -> Result<Option<Reference>, CloudError> {
    let call = get("/roles").query("name", name).key("roles");
    Ok(session
        .send::<Vec<Reference>>(call)
        .await?
        .into_iter()
        .next())
}

/// Names of all roles.
pub async fn role_names(session: &Session) -> Result<Vec<String>, CloudError> {
    let roles: Vec<Reference> = session.send(get("/roles").key("roles")).await?;
    Ok(roles.into_iter().map(|role| role.name).collect())
}

/// Roles that a group or a user (`who` is `groups` or `users`) has on a project.
pub async fn roles(
    session: &Session,
    project: &str,
    who: &str,
    id: &str,
) -> Result<Vec<Reference>, CloudError> {
    let path = format!("/projects/{project}/{who}/{id}/roles");
    Ok(found(session.send(get(path).key("roles")).await)?.unwrap_or_default())
}

/// Gives a group or a user (`who` is `groups` or `users`) a role on a project.
pub async fn grant(
    session: &Session,
    project: &str,
    who: &str,
    id: &str,
    role: &str,
) -> Result<(), CloudError> {
    let path = format!("/projects/{project}/{who}/{id}/roles/{role}");
    session.run(Call::put(Service::Identity, path, None)).await
}

/// Takes it back.
pub async fn revoke(
    session: &Session,
    project: &str,
    who: &str,
    id: &str,
    role: &str,
) -> Result<(), CloudError> {
    let path = format!("/projects/{project}/{who}/{id}/roles/{role}");
    found(session.run(Call::delete(Service::Identity, path)).await).map(drop)
}

/// Asks whether the session may deal with trusts at all, which is how Heat acts for its user.
pub async fn may_trust(session: &Session) -> Result<(), CloudError> {
    let user = session.identity().await?.user.id;
    session
        .run(get("/OS-TRUST/trusts").query("trustor_user_id", user))
        .await
}
