//! Routes that the edge would not take: one clear error that names the thing, and nothing made.

use mkys_acceptance::platform::edge::PORTAL;

use crate::bad_input::refuses;
use crate::world::each_cli;
use crate::world::edge::{Beside, wish};

/// A route to a service of a blade whose address is known.
pub(crate) fn route(host: &str, target: &str) -> String {
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

        // a token is told so of blades that are not its own, too, and not whose it is
        let network = ["--role", "requester", "--network", "198.51.100.0/24"];
        let own = edge.token("own", &[&network[..], &["--blade", "pnr"]].concat());
        stage.write_with(
            &provider(&own),
            &route("taken.mkys.test", "198.51.100.50:80"),
        );
        let words = ["host and path are taken", "a route of another blade"];
        let said = refuses(stage, "a host and path of another's", &words);
        assert!(!said.contains("games"), "{said}");
        stage.write_with(&good, &route(PORTAL, "198.51.100.50:80"));
        let words = ["host and path are taken", "is the portal itself"];
        refuses(stage, "the portal's own host", &words);

        stage.write_with(
            &provider("mkys_wrong"),
            &route("a.mkys.test", "198.51.100.50:80"),
        );
        refuses(
            stage,
            "a bad token",
            &[&edge.url(), "does not accept the token", "MKYS_EDGE_TOKEN"],
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

#[test]
fn the_edges_token_is_asked_for_by_routes_alone() {
    each_cli("token", |stage| {
        let name = stage.project("a");
        let blade = format!(
            "resource \"mkys_blade\" \"this\" {{
               name    = \"{name}\"
               project = {{ group = \"{name}-admin\" }}
             }}
             "
        );
        let provider = "cloud = \"lab\"\nedge = { url = \"http://127.0.0.1:9\" }";
        stage.write_with(provider, &blade);
        stage.plan_changes();

        let route = route("a.mkys.test", "198.51.100.50:80");
        stage.write_with(provider, &format!("{blade}{route}"));
        let words = [
            "The edge has no token",
            "MKYS_EDGE_TOKEN",
            "mkys_route.this",
        ];
        refuses(stage, "a route without a token", &words);

        stage.set("MKYS_EDGE_TOKEN", "mkys_x");
        let words = [
            "The edge at http://127.0.0.1:9 cannot be reached: connection refused",
            "`edge.url`",
        ];
        refuses(stage, "an edge that is not there", &words);
    });
}

#[test]
fn two_routes_of_one_configuration_have_not_the_same_place() {
    each_cli("twice", |stage| {
        let edge = Beside::start(stage);
        let provider = format!(
            "edge = {{ url = \"{}\", token = \"{}\" }}",
            edge.url(),
            edge.requester
        );
        let (host, target) = ("twice.mkys.test", "198.51.100.40:80");
        let held = || {
            let routes = edge.call("GET", "/v1/routes", &edge.requester, None);
            let routes = routes.unwrap().as_array().unwrap().clone();
            let ids = routes.iter().map(|route| route["id"].as_str().unwrap());
            ids.map(str::to_owned).collect::<Vec<_>>()
        };
        let words = [
            "Two routes have the same host and path",
            "twice.mkys.test/",
            "of blade \"pnr\"",
        ];
        let one = named("one", "site", host, target, "");

        let other = named("other", "admin", host, target, "");
        stage.write_with(&provider, &format!("{one}{other}"));
        refuses(stage, "two services at one place", &words);

        // one that is asked about twice looks like these two, so it is the apply that says it
        let other = named("other", "site", host, target, "");
        stage.write_with(&provider, &format!("{one}{other}"));
        let said = stage.apply_fails();
        assert_eq!(said.matches("Error: ").count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?}: {said}");
        }
        assert_eq!(held().len(), 1, "{:?}", held());

        // with one of them in the state, the plan knows
        refuses(stage, "a second of the very same", &words);
        let left = if stage.state("mkys_route.one").is_null() {
            "other"
        } else {
            "one"
        };
        let alone = named(left, "site", host, target, "");
        stage.write_with(&provider, &alone);
        stage.settled();

        // taken over by its id it is the same, whatever else its blade has
        let more = "endpoints = { other = { users = \"198.51.100.41:80\", devops = null }, ";
        let wide = alone.replacen("endpoints = { ", more, 1);
        stage.write_with(&provider, &wide);
        stage.settled();
        stage.forget_state();
        let address = format!("mkys_route.{left}");
        let ended = stage.run(&["import", "-no-color", &address, &held()[0]]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        stage.settled();
        stage.write_with(&provider, &alone);

        // what replaces a route has its place, in either order
        let address = format!("-replace=mkys_route.{left}");
        let replace = ["apply", "-no-color", "-auto-approve", &address];
        let before = held();
        let ended = stage.run(&replace);
        assert_eq!(ended.code, 0, "{}", ended.said);
        assert_ne!(held(), before);
        let first = "lifecycle { create_before_destroy = true }";
        stage.write_with(&provider, &named(left, "site", host, target, first));
        let before = held();
        let ended = stage.run(&replace);
        assert_eq!(ended.code, 0, "{}", ended.said);
        assert_eq!(held(), before);
        stage.settled();
        stage.destroy();
        assert!(held().is_empty(), "{:?}", held());
    });
}
