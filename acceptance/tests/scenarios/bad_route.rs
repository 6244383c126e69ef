//! Routes that the edge would not take: one clear error that names the thing, and nothing made.

use crate::bad_input::refuses;
use crate::world::each_cli;
use crate::world::edge::{Beside, wish};

/// A route to a service of a blade whose address is known.
fn route(host: &str, target: &str) -> String {
    format!(
        "resource \"mkys_route\" \"this\" {{
           blade   = {{ name = \"pnr\", endpoints = {{ site = {{ users = \"{target}\" , devops = null }} }} }}
           service = \"site\"
           host    = \"{host}\"
           access  = {{ users = {{ justification = \"a test\" }} }}
         }}"
    )
}

#[test]
fn a_route_that_the_edge_would_not_take_is_refused() {
    each_cli("route", |stage| {
        let edge = Beside::start(stage);
        let provider =
            |token: &str| format!("edge = {{ url = \"{}\", token = \"{token}\" }}", edge.url());
        let good = provider(&edge.requester);
        edge.ask_for(&wish("taken.mkys.test", "198.51.100.40:80"));

        stage.write_with(&good, &route("taken.mkys.test", "198.51.100.50:80"));
        let words = ["host and path are taken", "taken.mkys.test/", "\"games\""];
        refuses(stage, "a host and path that are taken", &words);

        stage.write_with(
            &provider("mkys_wrong"),
            &route("a.mkys.test", "198.51.100.50:80"),
        );
        refuses(
            stage,
            "a bad token",
            &[&edge.url(), "does not accept the token"],
        );

        // only the edge knows what a token may do, so these are said at apply; nothing is made
        let network = [
            "--role",
            "requester",
            "--network",
            "198.51.100.0/24",
            "--blade",
            "other",
        ];
        stage.write_with(
            &provider(&edge.token("foreign", &network)),
            &route("a.mkys.test", "198.51.100.50:80"),
        );
        let said = stage.apply_fails();
        assert!(
            said.contains("\"foreign\" does not speak for blade \"pnr\""),
            "{said}"
        );

        stage.write_with(&good, &route("a.mkys.test", "203.0.113.9:80"));
        let said = stage.apply_fails();
        assert!(
            said.contains("203.0.113.9:80 lies outside the networks"),
            "{said}"
        );

        let outside = edge.call(
            "POST",
            "/v1/routes",
            &edge.requester,
            Some(&wish("b.mkys.test", "203.0.113.9:80")),
        );
        let refusal = outside.unwrap_err();
        assert!(
            refusal.contains(": 403 ") && refusal.contains("203.0.113.9:80"),
            "{refusal}"
        );
        let routes = edge
            .call("GET", "/v1/routes", &edge.administrator, None)
            .unwrap();
        assert_eq!(routes.as_array().unwrap().len(), 1, "{routes}");
    });
}
