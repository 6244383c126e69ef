//! The edge: who decides on what, and what goes on being served whatever dies.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::edge::{Beside, wish};
use crate::world::service::serve;
use crate::world::{Stage, wait};

const HOST: &str = "games.mkys.test";

fn kill(pid: i32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

fn states(decisions: &Value) -> [&str; 2] {
    ["users", "devops"].map(|audience| decisions[audience]["state"].as_str().unwrap())
}

#[test]
fn who_asks_does_not_decide() {
    let stage = Stage::new("decide", 0);
    let edge = Beside::start(&stage);
    let target = serve("the first service");
    let route = edge.ask_for(&wish(HOST, &target));
    let path = format!("/v1/routes/{route}/access/users");
    let approve = json!({ "decision": "approve", "reason": "mine" });
    let refusal = edge
        .call("POST", &path, &edge.requester, Some(&approve))
        .unwrap_err();
    assert!(
        refusal.contains(": 403 ") && refusal.contains("administrator"),
        "{refusal}"
    );
    assert_eq!(edge.visit(HOST).status, 404);

    // an administrator's token asks for nothing, so no name can do both
    let own = edge.call(
        "POST",
        "/v1/routes",
        &edge.administrator,
        Some(&wish("b.mkys.test", &target)),
    );
    let refusal = own.unwrap_err();
    assert!(
        refusal.contains(": 403 ") && refusal.contains("requester"),
        "{refusal}"
    );

    edge.approve(&route, "users");
    let answer = edge.visit(HOST);
    assert_eq!((answer.status, &*answer.body), (200, "the first service"));
}

#[test]
fn an_approval_is_for_a_content_and_an_audience() {
    let stage = Stage::new("content", 1);
    let edge = Beside::start(&stage);
    let (one, two) = (serve("one"), serve("two"));
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let route = edge.ask_for(&wish(HOST, &one));
    for audience in ["users", "devops"] {
        edge.approve(&route, audience);
    }

    // another address of the same service: still approved, and served at once
    let moved = wish(HOST, &one.replace("100.2:", "100.1:"));
    assert_eq!(states(&edge.change(&route, &moved)), ["approved"; 2]);
    assert_eq!(
        states(&edge.change(&route, &wish(HOST, &one))),
        ["approved"; 2]
    );
    assert_eq!(edge.visit(HOST).body, "one");

    // one audience turned off: that one only
    let mut devops = wish(HOST, &one);
    devops["access"]["users"]["enabled"] = false.into();
    assert_eq!(
        states(&edge.change(&route, &devops)),
        ["withdrawn", "approved"]
    );
    assert_eq!(edge.visit(HOST).status, 404);
    // asking again is a new request
    assert_eq!(
        states(&edge.change(&route, &wish(HOST, &one))),
        ["pending", "approved"]
    );

    // another service, or another port: nobody approved that
    edge.approve(&route, "users");
    let mut other = wish(HOST, &one);
    other["service"] = "admin".into();
    assert_eq!(states(&edge.change(&route, &other)), ["pending"; 2]);
    assert_eq!(edge.visit(HOST).status, 404);
    edge.approve(&route, "users");
    let mut other = wish(HOST, &two);
    other["service"] = "admin".into();
    assert_ne!(port(&one), port(&two));
    assert_eq!(states(&edge.change(&route, &other)), ["pending"; 2]);
    assert_eq!(edge.visit(HOST).status, 404);
}

#[test]
fn what_was_acknowledged_is_served_whatever_dies() {
    let stage = Stage::new("dies", 0);
    let edge = Beside::start(&stage);
    let target = serve("still here");
    let route = edge.ask_for(&wish(HOST, &target));
    edge.approve(&route, "users");
    let gone = edge.ask_for(&wish("gone.mkys.test", &target));
    edge.approve(&gone, "users");
    edge.remove(&gone);
    let served = || {
        let answer = edge.visit(HOST);
        assert_eq!((answer.status, &*answer.body), (200, "still here"));
        assert_eq!(edge.visit("gone.mkys.test").status, 404);
    };
    served();

    // mkys-edge alone: NGINX goes on by itself, and the next mkys-edge goes on with it
    let (service, nginx) = edge.pids();
    kill(service);
    wait::until("mkys-edge's end", 10, || edge.is_down().then_some(()));
    served();
    edge.start_again();
    assert_eq!(edge.pids().1, nginx);
    served();

    // both, at the moment that something was acknowledged
    let last = edge.ask_for(&wish("last.mkys.test", &target));
    edge.approve(&last, "users");
    edge.kill_all();
    wait::until("silence", 10, || {
        (edge.visit(HOST).status == 0).then_some(())
    });
    edge.start_again();
    wait::until("the routes", 10, || {
        (edge.visit(HOST).status == 200).then_some(())
    });
    served();
    assert_eq!(edge.visit("last.mkys.test").body, "still here");
}

#[test]
fn a_websocket_outlives_other_routes_and_not_its_own() {
    let stage = Stage::new("socket", 1);
    let edge = Beside::start(&stage);
    let target = serve("played");
    let route = edge.ask_for(&wish(HOST, &target));
    for audience in ["users", "devops"] {
        edge.approve(&route, audience);
    }
    let mut socket = edge.connect("users", HOST);
    let mut devops = edge.connect("devops", HOST);
    let mut quiet = edge.connect("users", HOST);
    for number in 0..50 {
        let host = format!("other{number}.mkys.test");
        let other = edge.ask_for(&wish(&host, &target));
        edge.approve(&other, "users");
        assert!(socket.echoes(), "cut by change {number}");
        edge.change(&other, &wish(&host, &target.replace("100.2:", "100.1:")));
        edge.remove(&other);
    }
    assert!(socket.echoes() && quiet.echoes() && devops.echoes());

    // its own audience's access goes, the other's stays
    let mut half = wish(HOST, &target);
    half["access"]["users"]["enabled"] = false.into();
    edge.change(&route, &half);
    assert!(socket.ends(Duration::from_secs(3)), "it outlives its route");
    assert!(
        quiet.ends(Duration::from_secs(3)),
        "a quiet one outlives its route"
    );
    assert!(devops.echoes(), "cut with the other audience");
}
