//! Bad definitions: each gets one clear error that names the attribute.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use mkys_blade::Definition;
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "name": "automathon",
        "networks": { "front": { "cidr": "10.20.1.0/24" }, "data": { "cidr": "10.20.2.0/24" } },
        "servers": {
            "web": {
                "image": "debian-12",
                "flavor": "small",
                "networks": ["front"],
                "ready": { "http": ":80/health" },
                "volumes": { "data": { "size": 1, "mount": "/srv" } },
            },
        },
        "services": { "site": { "server": "web", "port": 80, "audiences": ["users"] } },
    })
}

/// The problems of the good definition with one value changed.
fn problems(pointer: &str, value: Value) -> Vec<String> {
    let mut definition = good();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    definition.pointer_mut(parent).unwrap()[key] = value;
    let definition: Definition = serde_json::from_value(definition).unwrap();
    definition
        .validate()
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_good_definition_has_none() {
    assert_eq!(problems("/name", json!("automathon")), Vec::<String>::new());
}

#[test]
fn each_bad_value_is_named_once() {
    let cases = [
        ("/name", json!("Auto mathon"), "name: Invalid blade name"),
        (
            "/networks/front/cidr",
            json!("10.20.1.0"),
            "networks[\"front\"].cidr: Invalid CIDR",
        ),
        (
            "/networks/front/cidr",
            json!("10.20.1.7/24"),
            "10.20.1.0/24",
        ),
        (
            "/networks/front/cidr",
            json!("10.20.1.0/30"),
            "prefix from /8 to /28",
        ),
        ("/networks/front/cidr", json!("127.0.0.0/8"), "not a range"),
        (
            "/networks/front/cidr",
            json!("fd00::/64"),
            "not an IPv4 network",
        ),
        ("/networks/front/cidr", json!("10.20.0.0/16"), "overlaps"),
        (
            "/networks/front/dns_nameservers",
            json!(["dns"]),
            "dns_nameservers[0]",
        ),
        (
            "/networks/a_b",
            json!({ "cidr": "10.9.0.0/24" }),
            "networks[\"a_b\"]: Invalid name",
        ),
        (
            "/servers/web/networks",
            json!(["fornt"]),
            "defines no network \"fornt\". Did you mean \"front\"?",
        ),
        (
            "/servers/web/networks",
            json!(["zz"]),
            "defines no network \"zz\"; it defines: data, front.",
        ),
        ("/servers/web/networks", json!([]), "No network"),
        (
            "/servers/web/networks",
            json!(["front", "front"]),
            "listed twice",
        ),
        ("/servers/web/image", json!(" "), "No image"),
        ("/servers/web/probes", json!(["zabix"]), "Unknown probe"),
        ("/servers/web/ready/http", json!("80/health"), ":PORT/PATH"),
        (
            "/servers/web/ready/http",
            json!(":0/health"),
            "from 1 to 65535",
        ),
        (
            "/servers/web/ready/http",
            json!(":70000"),
            "from 1 to 65535",
        ),
        ("/servers/web/ready/http", json!(":-1/"), "from 1 to 65535"),
        ("/servers/web/ready/http", json!(":80/a'b"), ":PORT/PATH"),
        (
            "/servers/web/ready/within",
            json!("soon"),
            "Invalid duration",
        ),
        ("/servers/web/ready/within", json!("2s"), "Invalid duration"),
        (
            "/servers/web/volumes/data/size",
            json!(0),
            "Invalid volume size",
        ),
        (
            "/servers/web/volumes/data/mount",
            json!("/srv/../etc"),
            "Invalid mount point",
        ),
        (
            "/servers/web/volumes/data/mount",
            json!("/srv'; reboot"),
            "Invalid mount point",
        ),
        (
            "/servers/web/user_data",
            json!("x".repeat(50_000)),
            "User data too large",
        ),
        (
            "/services/site/server",
            json!("webb"),
            "Service without its server: The blade defines no server \"webb\". Did you mean \"web\"?",
        ),
        ("/services/site/port", json!(0), "Invalid port"),
        (
            "/services/site/port",
            json!(70_000),
            "70000 is not a TCP port, 1 to 65535",
        ),
        ("/services/site/port", json!(-1), "Invalid port"),
        ("/services/site/audiences", json!([]), "No audience"),
        (
            "/services/site/audiences",
            json!(["admins"]),
            "none of: users, devops",
        ),
        (
            "/services/again",
            json!({ "server": "web", "port": 80, "audiences": ["devops"] }),
            "Port used by two services",
        ),
        (
            "/project",
            json!({ "group": "" }),
            "project.group: Invalid group",
        ),
        (
            "/project",
            json!({ "group": "g", "quota": { "cores": -2 } }),
            "project.quota.cores",
        ),
    ];
    for (pointer, value, expected) in cases {
        let problems = problems(pointer, value.clone());
        assert_eq!(problems.len(), 1, "{pointer} = {value}: {problems:?}");
        assert!(
            problems[0].contains(expected),
            "{pointer} = {value}: {}",
            problems[0]
        );
    }
}

#[test]
fn all_problems_are_said_at_once() {
    let mut definition = good();
    definition["name"] = json!("1");
    definition["networks"]["front"]["cidr"] = json!("x");
    definition["services"]["site"]["server"] = json!("nobody");
    let definition: Definition = serde_json::from_value(definition).unwrap();
    assert_eq!(definition.validate().unwrap_err().len(), 3);
}

#[test]
fn a_network_that_overlaps_the_devops_network_is_refused_only_where_there_is_one() {
    let mut definition = good();
    definition["networks"]["front"]["cidr"] = json!("172.31.0.0/16");
    let check = |definition: &Value| {
        let definition: Definition = serde_json::from_value(definition.clone()).unwrap();
        definition.validate().map(drop)
    };
    assert_eq!(check(&definition), Ok(()));
    definition["services"]["site"]["audiences"] = json!(["devops"]);
    assert!(check(&definition).is_err());
}
