//! Routes that the edge would not take: one clear error that names the thing, and nothing made.

use crate::bad_input::refuses;
use crate::world::each_cli;
use crate::world::edge::{Beside, wish};

/// A route to a service of a blade whose address is known.
fn route(host: &str, target: &str) -> String {
    named("this", "site", host, target, "")
}

fn named(name: &str, service: &str, host: &str, target: &str, more: &str) -> String {
    let endpoints = format!("{{ {service} = {{ users = \"{target}\", devops = null }} }}");
    format!(
        "resource \"mkys_route\" \"{name}\" {{
           blade   = {{ name = \"pnr\", endpoints = {endpoints} }}
           service = \"{service}\"
           host    = \"{host}\"
           access  = {{ users = {{ justification = \"a test\" }} }}
           {more}
         }}
         "
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

        // what a token may do is asked of the edge at plan; the edge itself refuses it as well
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
        let words = ["\"foreign\" does not speak for blade \"pnr\"", "blade ="];
        refuses(stage, "a foreign token", &words);

        stage.write_with(&good, &route("a.mkys.test", "203.0.113.9:80"));
        let words = ["203.0.113.9:80 lies outside the networks", "blade ="];
        refuses(stage, "an address outside the token's networks", &words);

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
        // a portal's address, or a typing error, is not an edge without routes
        let elsewhere = format!(
            "edge = {{ url = \"{}/portal\", token = \"x\" }}",
            edge.url()
        );
        stage.write_with(&elsewhere, &route("a.mkys.test", "198.51.100.50:80"));
        let words = ["no mkys-edge answers at", "/portal", "404"];
        refuses(stage, "an address where no edge answers", &words);

        let routes = edge
            .call("GET", "/v1/routes", &edge.administrator, None)
            .unwrap();
        assert_eq!(routes.as_array().unwrap().len(), 1, "{routes}");
    });
}
