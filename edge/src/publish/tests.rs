//! Tests of the entries that NGINX is told.

use mkys_edge_client::{AccessState, Route, RouteSpec, Session, Wish};

use super::*;
use crate::policy::undecided;

fn place(path: &str) -> Place {
    Place {
        host: "games.example.org".into(),
        path: path.into(),
    }
}

/// A route that users have and devops do not, with a session route that ends at 100 s.
fn serving() -> Serving {
    let wish = Wish {
        enabled: true,
        justification: "games".into(),
        description: String::new(),
    };
    let target = "198.51.100.20:80".parse().unwrap();
    let route = Route {
        id: Uuid::nil(),
        spec: RouteSpec {
            blade: "automathon".into(),
            service: "site".into(),
            port: 80,
            host: "games.example.org".into(),
            path: "/play".into(),
            targets: Audience::ALL.map(|audience| (audience, target)).into(),
            access: Audience::ALL
                .map(|audience| (audience, wish.clone()))
                .into(),
        },
        requester: "pipeline".into(),
        people: Vec::new(),
        decisions: [
            (Audience::Users, undecided(AccessState::Approved)),
            (Audience::Devops, undecided(AccessState::Withdrawn)),
        ]
        .into(),
    };
    let session = Session {
        id: Uuid::nil(),
        name: "g".into(),
        host: "games.example.org".into(),
        path: "/play/g".into(),
        target: "10.88.0.5:8080".parse().unwrap(),
        ttl_s: 60,
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: Timestamp::from_second(100).unwrap(),
    };
    Serving {
        routes: [(route.id, route)].into(),
        sessions: vec![(session, Uuid::nil())],
        unreadable: 0,
    }
}

/// Returns the told entries at a second: keys, values and seconds.
fn told(second: i64) -> Vec<(String, String, f64)> {
    let now = Timestamp::from_second(second).unwrap();
    let entries = entries(&serving(), now);
    let told = entries.iter().filter_map(|entry| entry.told(now));
    told.map(|(key, value, left)| (key.to_owned(), value.to_owned(), left))
        .collect()
}

#[test]
fn a_session_route_is_for_its_routes_audiences_and_for_the_time_that_is_left() {
    let places = BTreeSet::from([place("/play/g"), place("/gone")]);
    let nil = Uuid::nil();
    let route = (
        "users games.example.org /play",
        format!("198.51.100.20:80 {nil}"),
        0.0,
    );
    let session = (
        "users games.example.org /play/g",
        format!("10.88.0.5:8080 {nil}"),
        42.0,
    );
    // the lasting one first: it is the one that has to fit
    let expected = [route, session].map(|(key, value, left)| (key.to_owned(), value, left));
    assert_eq!(told(58), expected);
    let removed = [
        "users games.example.org /gone",
        "devops games.example.org /gone",
        "devops games.example.org /play/g",
    ];
    let now = Timestamp::from_second(58).unwrap();
    assert_eq!(vacant(&places, &entries(&serving(), now)), removed);
}

#[test]
fn one_that_has_lapsed_is_taken_away_and_never_served_for_good() {
    for second in [100, 101] {
        assert_eq!(told(second).len(), 1);
        let now = Timestamp::from_second(second).unwrap();
        let gone = vacant(
            &BTreeSet::from([place("/play/g")]),
            &entries(&serving(), now),
        );
        assert!(gone.contains(&"users games.example.org /play/g".to_owned()));
    }
    // one that lapses between being read and being told
    let now = Timestamp::from_second(99).unwrap();
    let late = Timestamp::from_second(100).unwrap();
    let entries = entries(&serving(), now);
    let told = entries.iter().filter_map(|entry| entry.told(late));
    assert!(told.map(|(.., left)| left).eq([0.0]));
}

#[test]
fn lasting_routes_win_over_sessions() {
    let mut serving = serving();
    serving.sessions[0].0.path = "/play".into();
    let entries = entries(&serving, Timestamp::UNIX_EPOCH);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].until, None);
}
