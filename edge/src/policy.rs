//! Who may ask for what, and what a change does to what was decided. Pure: the clock is an argument.

mod reason;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use jiff::Timestamp;
use mkys_edge_client::{
    Access, AccessState, Actor, Audience, Decision, DecisionRequest, Refusal, Role, Route,
    RouteSpec, check_host, check_path, check_text,
};

pub use reason::{AccessNow, Reason};

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

pub(crate) fn refusal(field: Option<&str>, error: impl ToString) -> Refusal {
    Refusal {
        error: error.to_string(),
        field: field.map(str::to_owned),
    }
}

/// Checks what is asked for, by whom.
///
/// # Errors
///
/// The first thing that is wrong, with its field.
pub fn check(actor: &Actor, spec: &RouteSpec, portal_host: &str) -> Result<(), Denied> {
    let wrong = |field: &str, error: String| Err(Denied::Invalid(refusal(Some(field), error)));
    let invalid = |field: &str, reason: Reason| wrong(field, reason.to_string());
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
        if let Err(reason) = check_name(name) {
            return invalid(field, reason);
        }
    }
    if let Err(error) = actor.check_blade(blade) {
        return Err(Denied::Forbidden(refusal(Some("blade"), error)));
    }
    check_place(host, path)?;
    check_not_portal(host, portal_host).map_err(Denied::Invalid)?;
    if *port == 0 {
        return invalid("port", Reason::NoPort);
    }
    if access.is_empty() {
        return invalid("access", Reason::NoAudience);
    }
    for (audience, wish) in access {
        if wish.enabled && wish.justification.trim().is_empty() {
            let field = format!("access.{audience}.justification");
            return invalid(&field, Reason::NoJustification);
        }
        let texts = [
            ("justification", &wish.justification),
            ("description", &wish.description),
        ];
        for (name, text) in texts {
            let field = format!("access.{audience}.{name}");
            if text.len() > 2_000 {
                return invalid(&field, Reason::TooLong);
            }
            if let Err(error) = check_text(text) {
                return wrong(&field, error);
            }
        }
        if wish.enabled && !targets.contains_key(audience) {
            return invalid(&format!("targets.{audience}"), Reason::NoTarget(*audience));
        }
    }
    for (audience, target) in targets {
        let field = format!("targets.{audience}");
        if target.port() != *port {
            let (target, port) = (*target, *port);
            return invalid(&field, Reason::OtherPort { target, port });
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
        true => Err(refusal(Some("host"), Reason::Portal(host.to_owned()))),
        false => Ok(()),
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), Reason> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => {
            let shown: String = name.chars().take(64).collect();
            Err(Reason::Name(shown))
        }
    }
}

/// Checks the name of a token or of a person.
///
/// # Errors
///
/// [`Reason::TokenName`].
pub fn check_token_name(name: &str) -> Result<(), Reason> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => Err(Reason::TokenName(name.to_owned())),
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
    let forbidden = |why: Reason| Err(Denied::Forbidden(refusal(None, why)));
    if actor.role != Role::Administrator {
        return forbidden(Reason::DecidesAsRequester);
    }
    if is_own(actor, route) {
        return forbidden(Reason::DecidesOnOwn(actor.person.clone()));
    }
    if reason.len() > 2_000 {
        return Err(Denied::Invalid(refusal(Some("reason"), Reason::TooLong)));
    }
    if let Err(error) = check_text(reason) {
        return Err(Denied::Invalid(refusal(Some("reason"), error)));
    }
    let content = route.spec.content();
    match seen {
        Some(seen) if *seen != content => {
            let changed = Reason::Changed(content);
            return Err(Denied::Conflict(refusal(Some("content"), changed)));
        }
        None if *decision == Decision::Approve => {
            let unsaid = Reason::NoContent;
            return Err(Denied::Invalid(refusal(Some("content"), unsaid)));
        }
        _ => (),
    }
    let conflict = |why: Reason| Err(Denied::Conflict(refusal(Some("access"), why)));
    let Some(before) = route.decisions.get(&audience) else {
        return conflict(Reason::OtherAudience(audience));
    };
    let is_now = || AccessNow {
        audience,
        state: before.state,
        by: before.decided_by.clone(),
    };
    if revision.is_some_and(|seen| seen != before.revision) {
        let revised = Reason::Revised(is_now());
        return Err(Denied::Conflict(refusal(Some("revision"), revised)));
    }
    let wanted = route
        .spec
        .access
        .get(&audience)
        .is_some_and(|wish| wish.enabled);
    let state = match (*decision, before.state) {
        (Decision::Approve, _) if !wanted => {
            return conflict(Reason::Unwanted(audience));
        }
        (Decision::Approve, AccessState::Approved)
        | (Decision::Refuse, AccessState::Refused)
        | (Decision::Withdraw, AccessState::Withdrawn) => return Ok(before.clone()),
        // overruling a decision needs its revision
        (Decision::Approve, AccessState::Refused | AccessState::Withdrawn)
            if revision.is_none() =>
        {
            let unsaid = Reason::NoRevision(is_now());
            return Err(Denied::Conflict(refusal(Some("revision"), unsaid)));
        }
        (Decision::Approve, _) => AccessState::Approved,
        (Decision::Refuse, AccessState::Pending) => AccessState::Refused,
        (Decision::Withdraw, AccessState::Approved) => AccessState::Withdrawn,
        (Decision::Refuse, state) => {
            return conflict(Reason::NotPending(audience, state));
        }
        (Decision::Withdraw, state) => {
            return conflict(Reason::NotApproved(audience, state));
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
mod tests;
