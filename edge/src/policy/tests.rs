//! Tests of the policy.

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
                spec.targets = BTreeMap::from([(Audience::Users, "10.0.0.1:80".parse().unwrap())])
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
fn stale_decisions_are_refused() {
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
fn changes_increment_the_revision() {
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
fn people_who_changed_cannot_decide() {
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
