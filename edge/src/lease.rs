//! Who may delegate what, what a holder may ask for, and what use means. Pure: the clock is an argument.

use jiff::Timestamp;
use mkys_edge_client::{Actor, Audience, Delegation, DelegationRequest, Role, Route, SessionSpec};

use crate::policy::{Denied, Reason, check_name, is_open, is_own, refusal};

/// Most session routes that one delegation allows: each costs NGINX memory.
const MOST: u32 = 10_000;

/// Checks that a token may see or end a route's delegations, or make one.
///
/// # Errors
///
/// When it is no administrator's, or that of who asked for the route.
pub fn may_delegate(actor: &Actor, route: &Route) -> Result<(), Denied> {
    let forbidden = |why: Reason| Err(Denied::Forbidden(refusal(None, why)));
    if actor.role != Role::Administrator {
        return forbidden(Reason::DelegatesAsRequester);
    }
    if is_own(actor, route) {
        return forbidden(Reason::DelegatesOwn(actor.person.clone()));
    }
    Ok(())
}

/// What becomes of a request to delegate a route.
///
/// # Errors
///
/// The first thing that is wrong, with its field.
pub fn delegate(
    actor: &Actor,
    route: &Route,
    request: DelegationRequest,
    now: Timestamp,
) -> Result<Delegation, Denied> {
    may_delegate(actor, route)?;
    let invalid = |field: &str, why: Reason| Err(Denied::Invalid(refusal(Some(field), why)));
    let DelegationRequest {
        holder,
        networks,
        limit,
    } = request;
    if let Err(why) = check_name(&holder) {
        return invalid("holder", why);
    }
    if networks.is_empty() {
        return invalid("networks", Reason::NoNetwork);
    }
    if !(1..=MOST).contains(&limit) {
        return invalid("limit", Reason::Limit { limit, most: MOST });
    }
    let audiences = open(route);
    if audiences.is_empty() {
        return Err(Denied::Conflict(refusal(None, Reason::NothingApproved)));
    }
    Ok(Delegation {
        route: route.id,
        holder,
        host: route.spec.host.clone(),
        prefix: route.spec.path.clone(),
        audiences,
        networks,
        limit,
        created_by: actor.name.clone(),
        created_at: now,
    })
}

/// The audiences that a route is approved for.
pub fn open(route: &Route) -> Vec<Audience> {
    let all = Audience::ALL.into_iter();
    all.filter(|audience| is_open(route, *audience)).collect()
}

/// Checks a session route that a holder asks for.
///
/// # Errors
///
/// The first thing that is wrong, with its field.
pub fn check(delegation: &Delegation, name: &str, spec: &SessionSpec) -> Result<(), Denied> {
    delegation.check(name, spec).map_err(|fault| {
        let refusal = refusal(Some(fault.field), fault.error);
        match fault.is_forbidden {
            true => Denied::Forbidden(refusal),
            false => Denied::Invalid(refusal),
        }
    })?;
    if delegation.audiences.is_empty() {
        let withdrawn = Reason::Withdrawn {
            host: delegation.host.clone(),
            prefix: delegation.prefix.clone(),
        };
        return Err(Denied::Conflict(refusal(Some("path"), withdrawn)));
    }
    Ok(())
}

/// Returns the whole seconds since a session route was used last: since it was added if nobody came yet, but never longer
/// than NGINX can know. Its memory begins when it starts, so idleness begins anew then: a session is rather ended
/// too late than while it is played. All by clocks that nobody sets: `last`, `started` and `now` by NGINX', `age_s` by the edge's.
pub fn idle_s(last: Option<f64>, age_s: f64, started: f64, now: f64) -> u64 {
    let since = last.map_or(age_s, |last| now - last);
    let idle = since.min(age_s).min(now - started);
    // a float becomes the nearest whole number that there is, and a negative one 0
    idle as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mkys_edge_client::{AccessState, RouteSpec, Wish};
    use uuid::Uuid;

    use super::*;
    use crate::policy::undecided;

    fn actor(name: &str, role: Role) -> Actor {
        Actor {
            name: format!("{name}-token"),
            person: name.into(),
            role,
            blades: Vec::new(),
            networks: Vec::new(),
        }
    }

    fn route(states: &[(Audience, AccessState)]) -> Route {
        let wish = || Wish {
            enabled: true,
            justification: "games".into(),
            description: String::new(),
        };
        let each = states.iter();
        Route {
            id: Uuid::nil(),
            spec: RouteSpec {
                blade: "automathon".into(),
                service: "site".into(),
                port: 80,
                host: "games.example.org".into(),
                path: "/play".into(),
                targets: BTreeMap::new(),
                access: each
                    .clone()
                    .map(|(audience, _)| (*audience, wish()))
                    .collect(),
            },
            requester: "pipeline-token".into(),
            people: vec!["pipeline".into()],
            decisions: each
                .map(|(audience, state)| (*audience, undecided(*state)))
                .collect(),
        }
    }

    fn field(denied: Denied) -> String {
        match denied {
            Denied::Invalid(why) => format!("invalid {}", why.field.unwrap_or_default()),
            Denied::Forbidden(why) => format!("forbidden {}", why.field.unwrap_or_default()),
            Denied::Conflict(why) => format!("conflict {}", why.field.unwrap_or_default()),
        }
    }

    const APPROVED: &[(Audience, AccessState)] = &[(Audience::Users, AccessState::Approved)];

    #[test]
    fn only_what_is_approved_is_delegated_and_only_by_somebody_else() {
        use AccessState::{Pending, Withdrawn};
        let pending = &[(Audience::Users, Pending)][..];
        let withdrawn = &[(Audience::Users, Withdrawn)][..];
        let admin = Role::Administrator;
        let cases = [
            ("ada", admin, APPROVED, "runner", "10.88.0.0/16", 200, ""),
            (
                "ada",
                Role::Requester,
                APPROVED,
                "runner",
                "10.88.0.0/16",
                200,
                "forbidden ",
            ),
            (
                "pipeline",
                admin,
                APPROVED,
                "runner",
                "10.88.0.0/16",
                200,
                "forbidden ",
            ),
            (
                "ada",
                admin,
                pending,
                "runner",
                "10.88.0.0/16",
                200,
                "conflict ",
            ),
            (
                "ada",
                admin,
                withdrawn,
                "runner",
                "10.88.0.0/16",
                200,
                "conflict ",
            ),
            (
                "ada",
                admin,
                &[],
                "runner",
                "10.88.0.0/16",
                200,
                "conflict ",
            ),
            (
                "ada",
                admin,
                APPROVED,
                "run/ner",
                "10.88.0.0/16",
                200,
                "invalid holder",
            ),
            (
                "ada",
                admin,
                APPROVED,
                "runner",
                "",
                200,
                "invalid networks",
            ),
            (
                "ada",
                admin,
                APPROVED,
                "runner",
                "10.88.0.0/16",
                0,
                "invalid limit",
            ),
            (
                "ada",
                admin,
                APPROVED,
                "runner",
                "10.88.0.0/16",
                10_001,
                "invalid limit",
            ),
        ];
        for (name, role, states, holder, network, limit, expected) in cases {
            let request = DelegationRequest {
                holder: holder.into(),
                networks: network.parse().into_iter().collect(),
                limit,
            };
            let made = delegate(
                &actor(name, role),
                &route(states),
                request,
                Timestamp::UNIX_EPOCH,
            );
            let found = made.err().map(field).unwrap_or_default();
            assert_eq!(
                found, expected,
                "{name} {role:?} {states:?} {holder} {limit}"
            );
        }
    }

    #[test]
    fn a_holder_is_told_what_is_wrong_and_nothing_is_added_for_nobody() {
        let request = DelegationRequest {
            holder: "runner".into(),
            networks: vec!["10.88.0.0/16".parse().unwrap()],
            limit: 1,
        };
        let ada = actor("ada", Role::Administrator);
        let mut delegation =
            delegate(&ada, &route(APPROVED), request, Timestamp::UNIX_EPOCH).unwrap();
        let found = |delegation: &Delegation, path: &str, target: &str, ttl_s| {
            let spec = SessionSpec {
                path: path.into(),
                target: target.parse().unwrap(),
                ttl_s,
            };
            check(delegation, "g", &spec)
                .err()
                .map(field)
                .unwrap_or_default()
        };
        assert_eq!(found(&delegation, "/play/g", "10.88.0.5:80", 60), "");
        assert_eq!(
            found(&delegation, "/x/g", "10.88.0.5:80", 60),
            "forbidden path"
        );
        assert_eq!(
            found(&delegation, "/play/g", "10.0.0.5:80", 60),
            "forbidden target"
        );
        assert_eq!(
            found(&delegation, "/play/g", "10.88.0.5:80", 4),
            "invalid ttl_s"
        );
        delegation.audiences.clear();
        assert_eq!(
            found(&delegation, "/play/g", "10.88.0.5:80", 60),
            "conflict path"
        );
    }

    #[test]
    fn idleness_begins_with_the_last_use_and_never_before_there_was_a_memory() {
        // last use, age, NGINX' start, now, idle
        let cases = [
            (None, 0.5, 0.0, 1_000.5, 0),
            (None, 10.0, 0.0, 1_010.0, 10),
            (None, 10.0, 1_005.0, 1_010.0, 5),
            (Some(1_007.9), 10.0, 0.0, 1_010.0, 2),
            (Some(1_007.9), 10.0, 1_009.0, 1_010.0, 1),
            // an id's use cannot be older than the id
            (Some(900.0), 10.0, 0.0, 1_010.0, 10),
            // clocks that differ a little
            (Some(1_010.2), 10.0, 0.0, 1_010.0, 0),
        ];
        for (last, age, started, now, expected) in cases {
            let found = idle_s(last, age, started, now);
            assert_eq!(found, expected, "{last:?} {age} {started} {now}");
        }
    }
}
