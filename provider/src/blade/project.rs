//! The Keystone side of a blade: its project, its group, the group's role and users, its quota.

use std::collections::BTreeSet;

use mkys_blade::{Blade, BladeName, Project};
use mkys_plugin::{Diagnostic, Diagnostics, Path};

use super::run::Run;
use crate::cloud::services::{keystone, network, quota};
use crate::cloud::{Cloud, CloudError, Reference, Session};
use crate::nearest::nearest;
use crate::platform::Configured;

/// Mark of a project that a blade's creation made.
pub(super) const MARK: &str = "mkys-blade";
/// Mark of one whose blade is not whole yet.
pub(super) const CREATING: &str = "mkys-creating";

const DOMAIN: &str = "default";

/// Who and what a project names, as ids.
#[derive(Debug)]
pub(super) struct People {
    role: String,
    users: Vec<(String, String)>,
}

/// What stands in the way of a project of that name, or what there is to take over.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Unfinished(keystone::Project),
}

impl Found {
    /// Id of the project that there is.
    pub(super) fn id(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Unfinished(project) => Some(project.id),
        }
    }
}

/// What the description of a group begins with that a blade's creation made.
const GROUP_MARK: &str = "Administrators of MKYS blade";

/// Looks a project's role and users up; what must not be is an error.
pub(super) async fn people(
    configured: &Configured,
    session: &Session,
    project: &Project,
) -> Result<People, Diagnostics> {
    let mut problems = Diagnostics::new();
    let people = look_up(configured, session, project, &mut problems).await?;
    problems.into_result()?;
    Ok(people)
}

/// The same, where what must not be is one problem among others.
pub(super) async fn look_up(
    configured: &Configured,
    session: &Session,
    project: &Project,
    problems: &mut Diagnostics,
) -> Result<People, CloudError> {
    let at = Path::root("project");
    let role = keystone::role_by_name(session, &project.role).await?;
    let found = role.as_ref().map(|role| &*role.name);
    if !configured.allow_admin_role && (is_admin(&project.role) || found.is_some_and(is_admin)) {
        let detail = "Under OpenStack's default policies the role `admin` on one project is \
                      administrator of the whole cloud. Use `member`; or, where the cloud's \
                      policies are other ones, set `allow_admin_role = true` in the provider.";
        let problem = Diagnostic::error(format!("Role {:?} is refused", project.role), detail);
        problems.push(problem.at(at.clone().attribute("role")));
    } else if role.is_none() {
        let names = keystone::role_names(session).await?;
        let detail = nearest("role", &project.role, names.iter().map(String::as_str));
        let problem = Diagnostic::error(format!("Unknown role {:?}", project.role), detail);
        problems.push(problem.at(at.clone().attribute("role")));
    }
    let mut users = Vec::new();
    for name in &project.users {
        match user(session, name).await? {
            Some(user) => users.push((name.clone(), user.id)),
            None => {
                let names = keystone::user_names(session, DOMAIN).await?;
                let detail = format!(
                    "{} That is domain Default; one of another domain is named by NAME@DOMAIN or by id. Users are referred to, never made.",
                    nearest("user", name, names.iter().map(String::as_str))
                );
                let problem = Diagnostic::error(format!("Unknown user {name:?}"), detail);
                problems.push(problem.at(at.clone().attribute("users")));
            }
        }
    }
    Ok(People {
        role: role.map(|role| role.id).unwrap_or_default(),
        users,
    })
}

/// The user that a definition names: by name in the default domain, by id, or by `NAME@DOMAIN`.
async fn user(session: &Session, named: &str) -> Result<Option<Reference>, CloudError> {
    if let Some(user) = keystone::user_by_name(session, named, DOMAIN).await? {
        return Ok(Some(user));
    }
    let is_id = named.len() >= 32
        && named
            .bytes()
            .all(|one| one.is_ascii_hexdigit() || one == b'-');
    if is_id && let Some(user) = keystone::user(session, named).await? {
        return Ok(Some(user));
    }
    // a name may have an @ of its own, so the domain follows the last one
    let Some((name, domain)) = named.rsplit_once('@') else {
        return Ok(None);
    };
    match keystone::domain_by_name(session, domain).await? {
        Some(domain) => keystone::user_by_name(session, name, &domain).await,
        None => Ok(None),
    }
}

/// Whether a role is the administrators'. On MariaDB Keystone finds `admin` by `Admin` as well, and by more that its collation holds for
/// equal: hence the name of the role that it found is looked at, too.
fn is_admin(role: &str) -> bool {
    role.eq_ignore_ascii_case("admin")
}

/// Says why the credential can't make a project, if it can't.
pub(super) async fn check_rights(cloud: &Cloud) -> Result<(), Diagnostics> {
    let identity = cloud.own().identity().await?;
    let error = |summary: &str, detail: String| {
        Err(Diagnostic::error(summary, detail)
            .at(Path::root("project"))
            .into())
    };
    if let Some(credential) = &identity.application_credential {
        let restricted = if credential.restricted {
            " (it is a restricted one, too)"
        } else {
            ""
        };
        return error(
            "An application credential cannot make a project",
            format!(
                "It belongs to the project it was made in and cannot work in another{restricted}. \
                 Leave `project` out to build the blade within that project, or give the provider \
                 a user's password with the role admin."
            ),
        );
    }
    if !identity.has_role("admin") {
        let roles: Vec<_> = identity
            .roles
            .iter()
            .map(|role| role.name.as_str())
            .collect();
        return error(
            "The credential cannot make a project",
            format!(
                "Making a project needs the role admin; {:?} has {}. Leave `project` out to build \
                 the blade within the credential's own project.",
                identity.user.name,
                if roles.is_empty() {
                    "none".to_owned()
                } else {
                    roles.join(", ")
                }
            ),
        );
    }
    Ok(())
}

/// Says why the credential can't build a blade in its own project, if it can't.
pub(super) async fn check_own(cloud: &Cloud) -> Result<(), Diagnostics> {
    let own = cloud.own();
    let identity = own.identity().await?;
    if let Some(credential) = &identity.application_credential {
        if credential.restricted {
            let detail = "Heat acts for the credential's user by a trust, and a restricted \
                          application credential can make none. Make one with `--unrestricted`.";
            return Err(Diagnostics::error(
                "A restricted application credential cannot build a blade",
                detail,
            ));
        }
        // since CVE-2026-80184 Keystone keeps unrestricted ones from trusts as well, by default;
        // Heat would answer 500 and not say why
        match keystone::may_trust(&own).await {
            Err(error) if error.is_forbidden() => {
                let detail = format!(
                    "Heat acts for the credential's user by a trust, and this cloud's Keystone \
                     lets no application credential make one: {error}. Use the user's password, \
                     or ask the cloud's operators for \
                     `allow_insecure_application_credential_trust_escalation`."
                );
                return Err(Diagnostics::error(
                    "An application credential cannot build a blade on this cloud",
                    detail,
                ));
            }
            asked => asked?,
        }
    }
    if identity.project.is_none() {
        let detail = "Its token belongs to no project. Name one (`project_name`, OS_PROJECT_NAME), \
                      or let the blade have its own with `project`.";
        return Err(Diagnostics::error(
            "The credential names no project",
            detail,
        ));
    }
    Ok(())
}

/// Looks whether a project can have the blade's name.
pub(super) async fn find(session: &Session, blade: &BladeName) -> Result<Found, Diagnostics> {
    let found = in_the_way(session, blade).await?;
    Ok(found.map_err(|(_, problem)| problem)?)
}

/// The same, where a project in the way, given by its id, is one problem among others.
pub(super) async fn in_the_way(
    session: &Session,
    blade: &BladeName,
) -> Result<Result<Found, (String, Diagnostic)>, CloudError> {
    let Some(project) = keystone::project_by_name(session, blade.as_ref(), DOMAIN).await? else {
        return Ok(Ok(Found::Nothing));
    };
    let marked = |mark: &str| project.tags.iter().any(|tag| tag == mark);
    if is_unfinished(&project) {
        return Ok(Ok(Found::Unfinished(project)));
    }
    let (summary, detail) = if marked(MARK) {
        (
            format!("Blade {blade} exists"),
            format!(
                "Project {} is whole and belongs to a blade. Import it (`import {{ to = …, id = \
                 \"{blade}\" }}`), or choose another name.",
                project.id
            ),
        )
    } else {
        (
            format!("A project named {blade} exists, and it is not a blade's"),
            format!(
                "Project {} was made by somebody else and is left alone. Choose another name.",
                project.id
            ),
        )
    };
    let problem = Diagnostic::error(summary, detail).at(Path::root("name"));
    Ok(Err((project.id, problem)))
}

/// Makes the project, marked as unfinished.
pub(super) async fn make(
    session: &Session,
    blade: &Blade,
    run: &Run,
) -> Result<keystone::Project, CloudError> {
    let tags = unfinished(run);
    let description = description(blade);
    keystone::create_project(session, blade.name.as_ref(), DOMAIN, &description, &tags).await
}

/// Marks an unfinished project as this run's.
pub(super) async fn mark(session: &Session, id: &str, run: &Run) -> Result<(), CloudError> {
    keystone::set_tags(session, id, &unfinished(run)).await
}

fn unfinished(run: &Run) -> [String; 3] {
    [MARK, CREATING, run.mark()].map(str::to_owned)
}

/// What the project says that it is for.
pub(super) fn description(blade: &Blade) -> String {
    match blade.description.as_str() {
        "" => format!("MKYS blade {}", blade.name),
        text => text.to_owned(),
    }
}

/// Lets the project say what the definition says that it is for.
pub(super) async fn describe(session: &Session, id: &str, blade: &Blade) -> Result<(), CloudError> {
    let wanted = description(blade);
    match keystone::project(session, id).await? {
        Some(project) if project.description.as_ref() != Some(&wanted) => {
            keystone::describe(session, id, &wanted).await
        }
        _ => Ok(()),
    }
}

/// Gives the provider's own user a way into the project, so that the stack can be built there. Once it
/// has one, that takes one question and no change: each refresh comes this way.
pub(super) async fn enter(session: &Session, project: &str) -> Result<(), CloudError> {
    let identity = session.identity().await?;
    // Heat's and Neutron's policies ask for `member`; Keystone always has that role
    let roles = keystone::roles(session, project, "users", &identity.user.id).await?;
    if roles.iter().any(|role| role.name == "member") {
        return Ok(());
    }
    if let Some(role) = keystone::role_by_name(session, "member").await? {
        keystone::grant(session, project, "users", &identity.user.id, &role.id).await?;
    }
    Ok(())
}

/// Puts group, role, users and quota as the definition has them. Safe to repeat. Gives a warning of the group before, if that stays.
pub(super) async fn apply(
    session: &Session,
    blade: &BladeName,
    id: &str,
    wanted: &Project,
    before: Option<&Project>,
    people: &People,
) -> Result<Option<Diagnostic>, Diagnostics> {
    let mark = format!("{GROUP_MARK} {blade}");
    let group = group(session, &wanted.group, &mark).await?;
    keystone::grant(session, id, "groups", &group.id, &people.role).await?;
    let was = match before {
        Some(before) => keystone::role_by_name(session, &before.role).await?,
        None => None,
    };
    for role in keystone::roles(session, id, "groups", &group.id).await? {
        // the role before, when the definition changed it
        if role.id != people.role && was.as_ref().is_some_and(|was| was.id == role.id) {
            keystone::revoke(session, id, "groups", &group.id, &role.id).await?;
        }
    }
    // by their ids: Keystone may find one group, user or role by several spellings of its name
    let left = match before {
        Some(before) => keystone::group_by_name(session, &before.group, DOMAIN).await?,
        None => None,
    };
    let stays = match left.filter(|left| left.id != group.id) {
        Some(left) => leave_group(session, id, &left).await?,
        None => None,
    };
    let members: BTreeSet<_> = keystone::members(session, &group.id)
        .await?
        .into_iter()
        .map(|user| user.id)
        .collect();
    for (_, user) in people
        .users
        .iter()
        .filter(|(_, user)| !members.contains(user))
    {
        keystone::add_member(session, &group.id, user).await?;
    }
    // only users whom the definition named before are taken out: others are somebody else's
    let gone = before
        .map(|before| before.users.difference(&wanted.users))
        .into_iter()
        .flatten();
    for name in gone {
        let user = user(session, name).await?;
        let is_wanted = |id: &str| people.users.iter().any(|(_, wanted)| wanted == id);
        if let Some(user) = user.filter(|user| !is_wanted(&user.id)) {
            keystone::remove_member(session, &group.id, &user.id).await?;
        }
    }
    if let Some(before) = before {
        quota::release(session, id, &before.quota, &wanted.quota).await?;
    }
    quota::set(session, id, &wanted.quota).await?;
    Ok(stays)
}

/// The group of a name, which is made if there is none.
async fn group(session: &Session, name: &str, mark: &str) -> Result<keystone::Group, CloudError> {
    if let Some(group) = keystone::group_by_name(session, name, DOMAIN).await? {
        return Ok(group);
    }
    match keystone::create_group(session, name, DOMAIN, mark).await {
        // another blade that is made at the same time was quicker
        Err(error) if error.is_conflict() => {
            let found = keystone::group_by_name(session, name, DOMAIN).await?;
            found.ok_or(error)
        }
        made => made,
    }
}

/// Says that the blade is whole. Gives a warning if Keystone does not take it: the blade is whole all the same, and an error would have it
/// built anew.
pub(super) async fn finish(session: &Session, id: &str) -> Option<Diagnostic> {
    let marked = keystone::set_tags(session, id, &[MARK.to_owned()]).await;
    marked.err().map(|error| unmarked(&error))
}

/// What is said of a blade that is whole and could not be marked so.
pub(super) fn unmarked(error: &CloudError) -> Diagnostic {
    let detail = format!(
        "{}\nUntil the next apply, which tries again, a creation of the same name that has no state would take the blade over.",
        error.told()
    );
    Diagnostic::warning("The blade is whole and still marked as unfinished", detail)
}

/// Whether a project's blade is marked as unfinished.
pub(super) fn is_unfinished(project: &keystone::Project) -> bool {
    [MARK, CREATING]
        .iter()
        .all(|mark| project.tags.iter().any(|tag| tag == mark))
}

/// The project as it is now, as far as the definition speaks of it.
pub(super) async fn observe(
    session: &Session,
    id: &str,
    stated: &Project,
) -> Result<Project, CloudError> {
    let mut seen = stated.clone();
    let group = keystone::group_by_name(session, &stated.group, DOMAIN).await?;
    let (roles, members) = match &group {
        Some(group) => (
            keystone::roles(session, id, "groups", &group.id).await?,
            keystone::members(session, &group.id).await?,
        ),
        None => (Vec::new(), Vec::new()),
    };
    let mut has_role = roles.iter().any(|role| role.name == stated.role);
    if !has_role && let Some(named) = keystone::role_by_name(session, &stated.role).await? {
        has_role = roles.iter().any(|role| role.id == named.id);
    }
    if !has_role {
        seen.role = roles
            .first()
            .map(|role| role.name.clone())
            .unwrap_or_default();
    }
    for name in &stated.users {
        let mut is_member = members.iter().any(|user| &user.name == name);
        // a spelling that Keystone takes for the same, a domain, an id
        if !is_member && let Some(named) = user(session, name).await? {
            is_member = members.iter().any(|user| user.id == named.id);
        }
        if !is_member {
            seen.users.remove(name);
        }
    }
    let limits = quota::get(session, id).await?;
    seen.quota = stated.quota.observed(&limits);
    Ok(seen)
}

/// Takes away the project with its group. What is in it must be gone. Gives a warning of the group, if that stays.
pub(super) async fn remove(
    session: &Session,
    id: &str,
    group: Option<&str>,
) -> Result<Option<Diagnostic>, CloudError> {
    let group = match group {
        Some(name) => keystone::group_by_name(session, name, DOMAIN).await?,
        None => None,
    };
    let stays = match group {
        Some(group) => leave_group(session, id, &group).await?,
        None => None,
    };
    if let Err(error) = network::delete_default_group(session, id).await {
        // it harms nobody, and a blade that is gone but for it is gone
        tracing::warn!(%error, project = id, "Neutron keeps the project's default security group");
    }
    keystone::delete_project(session, id).await?;
    Ok(stays)
}

/// Takes the role from a group, and the group itself away if it was made for a blade and nobody uses it any more. Gives a warning, if
/// somebody does.
async fn leave_group(
    session: &Session,
    id: &str,
    group: &keystone::Group,
) -> Result<Option<Diagnostic>, CloudError> {
    for role in keystone::roles(session, id, "groups", &group.id).await? {
        keystone::revoke(session, id, "groups", &group.id, &role.id).await?;
    }
    if !group.description.starts_with(GROUP_MARK) {
        return Ok(None);
    }
    // after its own role went: of two blades that end at once the later one sees that it is the last
    let scopes = keystone::scopes_of_group(session, &group.id).await?;
    if scopes.is_empty() {
        keystone::delete_group(session, &group.id).await?;
        return Ok(None);
    }
    let detail = format!(
        "It was made for a blade, and it has a role elsewhere: {}. If that is another blade's project, the group goes with the last of \
         them; else delete it when it is not used any more.",
        scopes.join(", ")
    );
    let summary = format!("Group {:?} was not deleted", group.name);
    Ok(Some(Diagnostic::warning(summary, detail)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};
    use wiremock::matchers::{any, method, path};
    use wiremock::{Mock, ResponseTemplate};

    use mkys_blade::Quota;
    use mkys_plugin::Severity;

    use super::*;
    use crate::cloud::mock;

    /// What is asked of Keystone, after the sign-in, where the user has these roles on the project.
    async fn asked(roles: Value) -> Vec<String> {
        let (keystone, cloud) = mock::cloud().await;
        let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        let put = ResponseTemplate::new(204);
        let member = json!({ "roles": [{ "id": "m", "name": "member" }] });
        let mocks = [
            Mock::given(path("/v3/projects/p/users/u/roles")).respond_with(answer(roles)),
            Mock::given(path("/v3/roles")).respond_with(answer(member)),
            Mock::given(method("PUT")).respond_with(put),
            Mock::given(any()).respond_with(ResponseTemplate::new(404)),
        ];
        for mock in mocks {
            mock.mount(&keystone).await;
        }
        enter(&cloud.own(), "p").await.unwrap();
        mock::asked(&keystone).await
    }

    /// What is wrong with a role, where Keystone finds this one by its name.
    async fn said_of(role: &str, found: Option<&str>, allow_admin_role: bool) -> Vec<String> {
        let (keystone, cloud) = mock::cloud().await;
        let found: Vec<_> = found
            .map(|name| json!({ "id": "r", "name": name }))
            .into_iter()
            .collect();
        let roles = ResponseTemplate::new(200).set_body_json(json!({ "roles": found }));
        let mock = Mock::given(path("/v3/roles")).respond_with(roles);
        mock.mount(&keystone).await;
        let configured = Configured {
            allow_admin_role,
            ..Configured::bare()
        };
        let project = Project {
            group: "g".into(),
            role: role.into(),
            users: BTreeSet::new(),
            quota: Quota::default(),
        };
        let mut problems = Diagnostics::new();
        let own = cloud.own();
        let people = look_up(&configured, &own, &project, &mut problems);
        people.await.unwrap();
        problems
            .into_iter()
            .map(|problem| problem.summary)
            .collect()
    }

    #[tokio::test]
    async fn the_role_admin_is_refused_however_it_is_written() {
        let cases = [
            ("member", Some("member"), ""),
            ("admin", Some("admin"), "Role \"admin\" is refused"),
            ("Admin", Some("admin"), "Role \"Admin\" is refused"),
            ("Admin", None, "Role \"Admin\" is refused"),
            ("ádmin ", Some("Admin"), "Role \"ádmin \" is refused"),
            ("membr", None, "Unknown role \"membr\""),
        ];
        for (role, found, expected) in cases {
            let said = said_of(role, found, false).await;
            assert_eq!(said.join("; "), expected, "{role:?} finds {found:?}");
        }
        assert_eq!(said_of("Admin", Some("admin"), true).await, [""; 0]);
    }

    /// What a change of a project from one stated group, role and user to another asks of a Keystone that takes names in any spelling.
    async fn changes(before: (&str, &str, &str), after: (&str, &str, &str)) -> Vec<String> {
        let (keystone, cloud) = mock::cloud().await;
        let of = |(group, role, user): (&str, &str, &str)| Project {
            group: group.into(),
            role: role.into(),
            users: BTreeSet::from([user.to_owned()]),
            quota: Quota::default(),
        };
        let found = |kind: &'static str| {
            move |request: &wiremock::Request| {
                let mut query = request.url.query_pairs();
                let name = query
                    .find(|(key, _)| key == "name")
                    .map(|(_, name)| name.to_lowercase());
                let name = name.unwrap_or_default();
                let one = json!({ "id": name, "name": name, "description": GROUP_MARK });
                ResponseTemplate::new(200).set_body_json(json!({ kind: [one] }))
            }
        };
        let list = |kind: &str, id: &str| {
            let one = json!({ "id": id, "name": id });
            ResponseTemplate::new(200).set_body_json(json!({ kind: [one] }))
        };
        Mock::given(path("/v3/groups"))
            .respond_with(found("groups"))
            .mount(&keystone)
            .await;
        Mock::given(path("/v3/users"))
            .respond_with(found("users"))
            .mount(&keystone)
            .await;
        Mock::given(path("/v3/roles"))
            .respond_with(found("roles"))
            .mount(&keystone)
            .await;
        Mock::given(method("GET"))
            .and(wiremock::matchers::path_regex("/groups/[^/]*/users$"))
            .respond_with(list("users", "alice"))
            .mount(&keystone)
            .await;
        Mock::given(method("GET"))
            .and(wiremock::matchers::path_regex("/projects/.*/roles$"))
            .respond_with(list("roles", "member"))
            .mount(&keystone)
            .await;
        let none = ResponseTemplate::new(200).set_body_json(json!({ "role_assignments": [] }));
        Mock::given(path("/v3/role_assignments"))
            .respond_with(none)
            .mount(&keystone)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(204))
            .mount(&keystone)
            .await;
        let own = cloud.own();
        let (was, wanted) = (of(before), of(after));
        let people = people(&Configured::bare(), &own, &wanted).await.unwrap();
        let name = "b".try_into().unwrap();
        apply(&own, &name, "p", &wanted, Some(&was), &people)
            .await
            .unwrap();
        let asked = mock::asked(&keystone).await;
        let changes = asked.into_iter().filter(|one| one.starts_with("DELETE"));
        changes.collect()
    }

    #[tokio::test]
    async fn other_spelling_of_a_name_takes_nothing_away() {
        let plain = ("g", "member", "alice");
        for other in [
            ("G", "member", "alice"),
            ("g", "Member", "alice"),
            ("g", "member", "Alice"),
        ] {
            assert_eq!(changes(plain, other).await, [""; 0], "{other:?}");
        }
        let gone = changes(plain, ("g", "member", "bob")).await;
        assert_eq!(gone, ["DELETE /v3/groups/g/users/alice"]);
        let left = changes(plain, ("h", "member", "alice")).await;
        let expected = [
            "DELETE /v3/projects/p/groups/g/roles/member",
            "DELETE /v3/groups/g",
        ];
        assert_eq!(left, expected);
    }

    #[tokio::test]
    async fn group_that_another_run_made_meanwhile_is_taken() {
        let (keystone, cloud) = mock::cloud().await;
        let none = ResponseTemplate::new(200).set_body_json(json!({ "groups": [] }));
        let one = json!({ "groups": [{ "id": "g", "name": "g" }] });
        let one = ResponseTemplate::new(200).set_body_json(one);
        let look = || Mock::given(method("GET")).and(path("/v3/groups"));
        look()
            .respond_with(none)
            .up_to_n_times(1)
            .mount(&keystone)
            .await;
        look().respond_with(one).mount(&keystone).await;
        let conflict = ResponseTemplate::new(409);
        Mock::given(method("POST"))
            .and(path("/v3/groups"))
            .respond_with(conflict)
            .mount(&keystone)
            .await;
        assert_eq!(group(&cloud.own(), "g", "x").await.unwrap().id, "g");
    }

    #[tokio::test]
    async fn a_mark_that_keystone_does_not_take_off_spoils_no_blade() {
        let (keystone, cloud) = mock::cloud().await;
        let refused = ResponseTemplate::new(403);
        let mock = Mock::given(path("/v3/projects/p/tags")).respond_with(refused);
        mock.mount(&keystone).await;
        let said = finish(&cloud.own(), "p").await.unwrap();
        assert_eq!(said.severity, Severity::Warning);
        assert!(said.detail.contains("Keystone answers 403"), "{said:?}");
    }

    #[tokio::test]
    async fn a_way_in_is_given_where_there_is_none() {
        let look = "GET /v3/projects/p/users/u/roles";
        let has =
            json!({ "roles": [{ "id": "r", "name": "reader" }, { "id": "m", "name": "member" }] });
        assert_eq!(asked(has).await, [look]);
        let none = json!({ "roles": [{ "id": "r", "name": "reader" }] });
        let grant = "PUT /v3/projects/p/users/u/roles/m";
        assert_eq!(asked(none).await, [look, "GET /v3/roles", grant]);
    }
}
