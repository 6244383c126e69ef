//! Who may ask for what, and what a change does to what was decided. Pure: the clock is an argument.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use jiff::Timestamp;
use mkys_edge_client::{
    Access, AccessState, Actor, Audience, Decision, DecisionRequest, Refusal, Role, Route,
    RouteSpec, check_host, check_path, check_text,
};

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request is not right.
    #[error("{}", .0.error)]
    Invalid(Refusal),
    /// The token may not.
    #[error("{}", .0.error)]
    Forbidden(Refusal),
    /// It does not fit what is there.
    #[error("{}", .0.error)]
    Conflict(Refusal),
}

pub(crate) fn refusal(field: Option<&str>, error: impl Into<String>) -> Refusal {
    Refusal {
        error: error.into(),
        field: field.map(str::to_owned),
    }
}

/// Checks what is asked for, by whom.
///
/// # Errors
///
/// The first thing that is wrong, with its field.
pub fn check(actor: &Actor, spec: &RouteSpec, portal_host: &str) -> Result<(), Denied> {
    let invalid = |field: &str, error: String| Err(Denied::Invalid(refusal(Some(field), error)));
    let RouteSpec {
        blade,
        service,
        port,
        host,
        path,
        targets,
        access,
    } = spec;
    if let Err(error) = actor.check_asks() {
        return Err(Denied::Forbidden(refusal(None, error)));
    }
    for (field, name) in [("blade", blade), ("service", service)] {
        if let Err(error) = check_name(name) {
            return invalid(field, error);
        }
    }
    if let Err(error) = actor.check_blade(blade) {
        return Err(Denied::Forbidden(refusal(Some("blade"), error)));
    }
    check_place(host, path)?;
    check_not_portal(host, portal_host).map_err(Denied::Invalid)?;
    if *port == 0 {
        return invalid("port", "0 is not a TCP port".to_owned());
    }
    if access.is_empty() {
        return invalid("access", "name at least one audience".to_owned());
    }
    for (audience, wish) in access {
        if wish.enabled && wish.justification.trim().is_empty() {
            let field = format!("access.{audience}.justification");
            return invalid(
                &field,
                "say why access is needed: somebody decides on it".to_owned(),
            );
        }
        let texts = [
            ("justification", &wish.justification),
            ("description", &wish.description),
        ];
        for (name, text) in texts {
            let field = format!("access.{audience}.{name}");
            if text.len() > 2_000 {
                return invalid(&field, "keep it within 2,000 bytes".to_owned());
            }
            if let Err(error) = check_text(text) {
                return invalid(&field, error);
            }
        }
        if wish.enabled && !targets.contains_key(audience) {
            return invalid(
                &format!("targets.{audience}"),
                format!("{audience} has no target"),
            );
        }
    }
    for (audience, target) in targets {
        let field = format!("targets.{audience}");
        if target.port() != *port {
            let error = format!("{target} is not port {port} of the service");
            return invalid(&field, error);
        }
        if let Err(error) = actor.check_target(*target) {
            return Err(Denied::Forbidden(refusal(Some(&field), error)));
        }
    }
    Ok(())
}

/// Checks that a route's host name and path are such.
pub(crate) fn check_place(host: &str, path: &str) -> Result<(), Denied> {
    let invalid = |field| move |error: String| Denied::Invalid(refusal(Some(field), error));
    check_host(host).map_err(invalid("host"))?;
    check_path(path).map_err(invalid("path"))
}

/// Checks that a host is not the portal's own: all of it is taken.
pub(crate) fn check_not_portal(host: &str, portal_host: &str) -> Result<(), Refusal> {
    match host == portal_host {
        true => Err(refusal(
            Some("host"),
            format!("{host:?} is the portal itself"),
        )),
        false => Ok(()),
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => {
            let shown: String = name.chars().take(64).collect();
            Err(format!(
                "{shown:?} is not a name of at most 64 letters, digits, '-' and '_'"
            ))
        }
    }
}

/// Checks the name of a token or of a person.
///
/// # Errors
///
/// One sentence.
pub fn check_token_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is not a name of at most 64 letters, digits, '-', '_', '.' and '@'"
        )),
    }
}

/// What is decided about a new route: nothing yet, or what its requester does not want.
pub fn first(spec: &RouteSpec) -> BTreeMap<Audience, Access> {
    let decisions = spec.access.iter().map(|(audience, wish)| {
        let state = if wish.enabled {
            AccessState::Pending
        } else {
            AccessState::Withdrawn
        };
        (*audience, undecided(state))
    });
    decisions.collect()
}

/// An access that nobody has decided on.
pub(crate) fn undecided(state: AccessState) -> Access {
    Access {
        state,
        decided_by: None,
        reason: None,
        decided_at: None,
        revision: 0,
    }
}

/// What becomes of a route when its requester wants it otherwise: all stays decided while its content stays, except
/// what the requester turns off or on.
///
/// # Errors
///
/// When the token may not speak for the route's blade.
pub fn change(
    actor: &Actor,
    route: Route,
    spec: RouteSpec,
    now: Timestamp,
) -> Result<Route, Denied> {
    if let Err(error) = actor.check_blade(&route.spec.blade) {
        return Err(Denied::Forbidden(refusal(Some("blade"), error)));
    }
    let decisions = changed(&route, &spec, &actor.name, now);
    let mut people = route.people;
    if !people.contains(&actor.person) {
        people.push(actor.person.clone());
    }
    Ok(Route {
        spec,
        decisions,
        people,
        ..route
    })
}

fn changed(
    route: &Route,
    spec: &RouteSpec,
    by: &str,
    now: Timestamp,
) -> BTreeMap<Audience, Access> {
    let same = route.spec.content() == spec.content();
    let decisions = spec.access.iter().map(|(audience, wish)| {
        let before = route.decisions.get(audience);
        let wished = route.spec.access.get(audience);
        // what the portal says to everybody is approved with the rest
        let same = same && wished.is_some_and(|wished| wished.description == wish.description);
        let mut after = match (wish.enabled, before) {
            (false, Some(before)) if before.state == AccessState::Withdrawn => before.clone(),
            (false, _) => Access {
                state: AccessState::Withdrawn,
                decided_by: Some(by.to_owned()),
                reason: Some("turned off by its requester".to_owned()),
                decided_at: Some(now),
                revision: 0,
            },
            (true, Some(before)) if same && stays(route, *audience, before) => before.clone(),
            (true, _) => undecided(AccessState::Pending),
        };
        let revision = before.map(|before| before.revision).unwrap_or_default();
        after.revision = revision;
        let is_seen_so = same && wished == Some(wish) && before == Some(&after);
        after.revision += u64::from(!is_seen_so);
        (*audience, after)
    });
    decisions.collect()
}

/// Asking again after having turned it off is a new request; so is nothing else.
fn stays(route: &Route, audience: Audience, before: &Access) -> bool {
    let was_on = route
        .spec
        .access
        .get(&audience)
        .is_some_and(|wish| wish.enabled);
    was_on || before.state != AccessState::Withdrawn
}

/// What an administrator's decision makes of an access. It holds for what was seen: a route that meanwhile became
/// another is not approved or refused by it.
///
/// # Errors
///
/// When the token may not decide, or there is nothing to decide, or the route is not what was seen.
pub fn decide(
    actor: &Actor,
    route: &Route,
    audience: Audience,
    request: &DecisionRequest,
    now: Timestamp,
) -> Result<Access, Denied> {
    let DecisionRequest {
        decision,
        reason,
        content: seen,
        revision,
    } = request;
    let forbidden = |error: String| Err(Denied::Forbidden(refusal(None, error)));
    if actor.role != Role::Administrator {
        return forbidden("only an administrator decides".to_owned());
    }
    if is_own(actor, route) {
        return forbidden(format!(
            "{:?} asked for this route or changed it, so another person decides",
            actor.person
        ));
    }
    if reason.len() > 2_000 {
        let error = "keep it within 2,000 bytes";
        return Err(Denied::Invalid(refusal(Some("reason"), error)));
    }
    if let Err(error) = check_text(reason) {
        return Err(Denied::Invalid(refusal(Some("reason"), error)));
    }
    let content = route.spec.content();
    match seen {
        Some(seen) if *seen != content => {
            let error =
                format!("the route has changed since it was looked at: it is {content} now");
            return Err(Denied::Conflict(refusal(Some("content"), error)));
        }
        None if *decision == Decision::Approve => {
            let error = "say what is approved: the route's blade, service, port, host and path";
            return Err(Denied::Invalid(refusal(Some("content"), error)));
        }
        _ => (),
    }
    let conflict = |error: String| Err(Denied::Conflict(refusal(Some("access"), error)));
    let Some(before) = route.decisions.get(&audience) else {
        return conflict(format!("the route is not for {audience}"));
    };
    let is_now = || {
        let by = before.decided_by.as_deref();
        let by = by.map(|by| format!(", by {by:?}")).unwrap_or_default();
        format!("access for {audience} is {} now{by}", before.state)
    };
    if revision.is_some_and(|seen| seen != before.revision) {
        let error = format!(
            "the access was changed or decided on since it was looked at: {}",
            is_now()
        );
        return Err(Denied::Conflict(refusal(Some("revision"), error)));
    }
    let wanted = route
        .spec
        .access
        .get(&audience)
        .is_some_and(|wish| wish.enabled);
    let state = match (*decision, before.state) {
        (Decision::Approve, _) if !wanted => {
            return conflict(format!("its requester does not want access for {audience}"));
        }
        (Decision::Approve, AccessState::Approved)
        | (Decision::Refuse, AccessState::Refused)
        | (Decision::Withdraw, AccessState::Withdrawn) => return Ok(before.clone()),
        // somebody has decided otherwise: to overrule that it must have been seen
        (Decision::Approve, AccessState::Refused | AccessState::Withdrawn)
            if revision.is_none() =>
        {
            let error = format!("{}: say by its revision that this was seen", is_now());
            return Err(Denied::Conflict(refusal(Some("revision"), error)));
        }
        (Decision::Approve, _) => AccessState::Approved,
        (Decision::Refuse, AccessState::Pending) => AccessState::Refused,
        (Decision::Withdraw, AccessState::Approved) => AccessState::Withdrawn,
        (Decision::Refuse, state) => {
            return conflict(format!("access for {audience} is {state}, not pending"));
        }
        (Decision::Withdraw, state) => {
            return conflict(format!("access for {audience} is {state}, not approved"));
        }
    };
    Ok(Access {
        state,
        decided_by: Some(actor.name.clone()),
        reason: Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        decided_at: Some(now),
        revision: before.revision + 1,
    })
}

/// Whether a route is a person's own: they asked for it, or changed it.
pub fn is_own(actor: &Actor, route: &Route) -> bool {
    route.people.contains(&actor.person)
}

/// Where a route leads an audience, if it does.
pub fn served(route: &Route, audience: Audience) -> Option<SocketAddrV4> {
    let target = route.spec.targets.get(&audience).copied();
    target.filter(|_| is_open(route, audience))
}

/// Whether an audience has access: approved, and still wanted.
pub fn is_open(route: &Route, audience: Audience) -> bool {
    let decision = route.decisions.get(&audience);
    let wish = route.spec.access.get(&audience);
    decision.is_some_and(|access| access.state == AccessState::Approved)
        && wish.is_some_and(|wish| wish.enabled)
}

#[cfg(test)]
mod tests {
    use mkys_edge_client::{Content, Wish};
    use uuid::Uuid;

    use super::*;

    fn actor(role: Role) -> Actor {
        Actor {
            name: format!("{role:?}"),
            person: format!("a person with the role {role:?}"),
            role,
            blades: vec!["automathon".into()],
            networks: vec!["198.51.100.0/25".parse().unwrap()],
        }
    }

    fn spec() -> RouteSpec {
        let wish = Wish {
            enabled: true,
            justification: "the site".into(),
            description: "Automata".into(),
        };
        RouteSpec {
            blade: "automathon".into(),
            service: "site".into(),
            port: 80,
            host: "games.example.org".into(),
            path: "/".into(),
            targets: BTreeMap::from([(Audience::Users, "198.51.100.20:80".parse().unwrap())]),
            access: BTreeMap::from([(Audience::Users, wish)]),
        }
    }

    fn route(state: AccessState) -> Route {
        let spec = spec();
        let decisions = BTreeMap::from([(Audience::Users, undecided(state))]);
        Route {
            id: Uuid::nil(),
            spec,
            requester: "Requester".into(),
            people: vec![actor(Role::Requester).person],
            decisions,
        }
    }

    fn request(decision: Decision, content: Option<Content>) -> DecisionRequest {
        DecisionRequest {
            decision,
            reason: String::new(),
            content,
            revision: None,
        }
    }

    fn denied(change: impl FnOnce(&mut RouteSpec)) -> Option<String> {
        let mut spec = spec();
        change(&mut spec);
        match check(&actor(Role::Requester), &spec, "portal.example.org") {
            Ok(()) => None,
            Err(Denied::Invalid(why) | Denied::Forbidden(why) | Denied::Conflict(why)) => {
                Some(format!("{}: {}", why.field.unwrap_or_default(), why.error))
            }
        }
    }

    fn justify(spec: &mut RouteSpec, text: &str) {
        spec.access
            .values_mut()
            .for_each(|wish| wish.justification = text.into());
    }

    #[test]
    fn each_bad_wish_is_named() {
        assert_eq!(denied(|_| ()), None);
        type Change = fn(&mut RouteSpec);
        let cases: [(Change, &str); 15] = [
            (
                |spec| justify(spec, "\u{200b}"),
                "access.users.justification: the character",
            ),
            (
                |spec| justify(spec, " \n"),
                "access.users.justification: say why",
            ),
            (
                |spec| justify(spec, "all \u{202e}gnp.js"),
                "access.users.justification: the character",
            ),
            (|spec| spec.host = "games.example.org.".into(), "host: "),
            (|spec| spec.blade = "pnr".into(), "blade: token"),
            (|spec| spec.host = "Games".into(), "host: "),
            (|spec| spec.host = "a;b".into(), "host: "),
            (|spec| spec.host = "portal.example.org".into(), "host: "),
            (|spec| spec.path = "x".into(), "path: "),
            (|spec| spec.path = "/a b".into(), "path: "),
            (|spec| spec.path = "/../etc".into(), "path: "),
            (|spec| spec.path = "/a/".into(), "path: "),
            (|spec| spec.port = 81, "targets.users: "),
            (
                |spec| {
                    spec.targets =
                        BTreeMap::from([(Audience::Users, "10.0.0.1:80".parse().unwrap())])
                },
                "targets.users: 10.0.0.1:80 lies outside",
            ),
            (|spec| spec.targets.clear(), "targets.users: "),
        ];
        for (change, expected) in cases {
            let error = denied(change).unwrap_or_default();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn an_address_may_change_and_nothing_else_that_was_approved() {
        let route = route(AccessState::Approved);
        let state = |change: &dyn Fn(&mut RouteSpec)| {
            let mut spec = spec();
            change(&mut spec);
            changed(&route, &spec, "Requester", Timestamp::UNIX_EPOCH)[&Audience::Users].state
        };
        let moved = |spec: &mut RouteSpec| {
            spec.targets
                .insert(Audience::Users, "198.51.100.21:80".parse().unwrap());
        };
        assert_eq!(state(&moved), AccessState::Approved);
        let others: [&dyn Fn(&mut RouteSpec); 5] = [
            &|spec| {
                spec.access
                    .values_mut()
                    .for_each(|wish| wish.description = "Phishing".into())
            },
            &|spec| spec.path = "/other".into(),
            &|spec| spec.host = "other.example.org".into(),
            &|spec| spec.port = 81,
            &|spec| spec.service = "admin".into(),
        ];
        for change in others {
            assert_eq!(state(change), AccessState::Pending);
        }
    }

    #[test]
    fn turning_off_withdraws_at_once_and_turning_on_asks_again() {
        let mut off = spec();
        off.access
            .values_mut()
            .for_each(|wish| wish.enabled = false);
        let approved = route(AccessState::Approved);
        let now = Timestamp::UNIX_EPOCH;
        let decisions = changed(&approved, &off, "Requester", now);
        assert_eq!(decisions[&Audience::Users].state, AccessState::Withdrawn);
        let withdrawn = Route {
            spec: off,
            decisions,
            ..approved
        };
        assert_eq!(served(&withdrawn, Audience::Users), None);
        let again = changed(&withdrawn, &spec(), "Requester", now);
        assert_eq!(again[&Audience::Users].state, AccessState::Pending);
    }

    #[test]
    fn who_asked_cannot_decide_and_an_administrators_withdrawal_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let decide = |actor: &Actor, state, decision| {
            let request = request(decision, Some(spec().content()));
            decide(actor, &route(state), Audience::Users, &request, now)
        };
        let admin = actor(Role::Administrator);
        // another token of the same person
        let own = Actor {
            person: actor(Role::Requester).person,
            ..admin.clone()
        };
        let pending = AccessState::Pending;
        assert!(decide(&admin, pending, Decision::Approve).is_ok());
        assert!(matches!(
            decide(&own, pending, Decision::Approve),
            Err(Denied::Forbidden(_))
        ));
        assert!(matches!(
            decide(&actor(Role::Requester), pending, Decision::Approve),
            Err(Denied::Forbidden(_))
        ));
        assert!(matches!(
            decide(&admin, pending, Decision::Withdraw),
            Err(Denied::Conflict(_))
        ));
        // an apply that changes nothing else must not ask again by itself
        let withdrawn = route(AccessState::Withdrawn);
        let after = changed(&withdrawn, &spec(), "Requester", now);
        assert_eq!(after[&Audience::Users].state, AccessState::Withdrawn);
    }

    #[test]
    fn only_what_was_seen_is_decided_on() {
        let now = Timestamp::UNIX_EPOCH;
        let admin = actor(Role::Administrator);
        let decided = |state, decision, content| {
            let request = request(decision, content);
            decide(&admin, &route(state), Audience::Users, &request, now).map(|access| access.state)
        };
        let seen = || Some(spec().content());
        let changes: [fn(&mut RouteSpec); 5] = [
            |spec| spec.blade = "pnr".into(),
            |spec| spec.service = "admin".into(),
            |spec| spec.port = 81,
            |spec| spec.host = "other.example.org".into(),
            |spec| spec.path = "/other".into(),
        ];
        let pending = AccessState::Pending;
        for change in changes {
            let mut other = spec();
            change(&mut other);
            for decision in [Decision::Approve, Decision::Refuse] {
                let denied = decided(pending, decision, Some(other.content())).unwrap_err();
                assert!(matches!(denied, Denied::Conflict(_)), "{denied:?}");
            }
        }
        // what is to be closed is closed, whatever it has become
        let withdrawn = decided(AccessState::Approved, Decision::Withdraw, None);
        assert_eq!(withdrawn, Ok(AccessState::Withdrawn));
        assert!(decided(pending, Decision::Approve, seen()).is_ok());
        let blind = decided(pending, Decision::Approve, None).unwrap_err();
        assert!(matches!(blind, Denied::Invalid(_)), "{blind:?}");
    }

    #[test]
    fn a_decision_binds_the_state_that_was_seen() {
        let now = Timestamp::UNIX_EPOCH;
        let admin = actor(Role::Administrator);
        let decided = |state, revision| {
            let mut route = route(state);
            route
                .decisions
                .values_mut()
                .for_each(|access| access.revision = 3);
            let request = DecisionRequest {
                revision,
                ..request(Decision::Approve, Some(spec().content()))
            };
            decide(&admin, &route, Audience::Users, &request, now)
        };
        use AccessState::{Pending, Refused, Withdrawn};
        // a page of before another administrator's decision, and one that is sent again
        for (state, revision) in [
            (Refused, Some(2)),
            (Withdrawn, Some(2)),
            (Pending, Some(2)),
            (Refused, None),
            (Withdrawn, None),
        ] {
            let denied = decided(state, revision).unwrap_err();
            let Denied::Conflict(refusal) = denied else {
                panic!("{denied:?}");
            };
            assert_eq!(
                refusal.field.as_deref(),
                Some("revision"),
                "{state} {revision:?}"
            );
        }
        for (state, revision) in [
            (Pending, None),
            (Pending, Some(3)),
            (Refused, Some(3)),
            (Withdrawn, Some(3)),
        ] {
            let access = decided(state, revision).unwrap();
            assert_eq!((access.state, access.revision), (AccessState::Approved, 4));
        }
    }

    #[test]
    fn each_change_of_an_access_is_another_revision() {
        let route = route(AccessState::Approved);
        let revision = |change: &dyn Fn(&mut RouteSpec)| {
            let mut spec = spec();
            change(&mut spec);
            changed(&route, &spec, "Requester", Timestamp::UNIX_EPOCH)[&Audience::Users].revision
        };
        assert_eq!(revision(&|_| ()), 0);
        // another address is not another access
        let moved = |spec: &mut RouteSpec| {
            let target = "198.51.100.21:80".parse().unwrap();
            spec.targets.insert(Audience::Users, target);
        };
        assert_eq!(revision(&moved), 0);
        assert_eq!(revision(&|spec| spec.port = 81), 1);
        assert_eq!(revision(&|spec| justify(spec, "another reason")), 1);
        let off = |spec: &mut RouteSpec| {
            spec.access
                .values_mut()
                .for_each(|wish| wish.enabled = false);
        };
        assert_eq!(revision(&off), 1);
    }

    #[test]
    fn who_changes_a_route_does_not_decide_on_it_either() {
        let other = Actor {
            person: "eve".into(),
            ..actor(Role::Requester)
        };
        let route = change(
            &other,
            route(AccessState::Pending),
            spec(),
            Timestamp::UNIX_EPOCH,
        );
        let route = route.unwrap();
        let judge = |person: &str| {
            let judge = Actor {
                person: person.into(),
                ..actor(Role::Administrator)
            };
            is_own(&judge, &route)
        };
        assert!(judge("eve") && judge(&actor(Role::Requester).person));
        assert!(!judge("ada"));
    }
}
