//! Drift: what others changed on the cloud shows in the plan, and the next apply repairs it.

use serde_json::json;

use crate::life_cycle::with_servers;
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Cloud, Stage, wait};

/// A blade with a web server, and what its administrators get.
fn text_with(name: &str, cores: u32) -> String {
    let site = "site = { server = \"web\", port = 80, audiences = [\"users\"] }";
    let project = format!(
        "{{ group = \"{name}-admin\", users = [\"alice\", \"bob\"], quota = {{ cores = {cores}, volumes = 3 }} }}"
    );
    let plain = format!("{{ group = \"{name}-admin\" }}");
    with_servers(name, "", site).replace(&plain, &project)
}

/// The same, applied.
fn blade(story: &str, turn: usize) -> (Stage, String, Cloud) {
    let mut stage = Stage::new(story, turn);
    let name = stage.project("a");
    stage.write(&text_with(&name, 6));
    stage.apply();
    let project = text_of(&stage, "project_id");
    let inside = stage.cloud.within(&project);
    (stage, name, inside)
}

fn text_of(stage: &Stage, attribute: &str) -> String {
    text(&stage.state("mkys_blade.this")[attribute])
}

/// Rules that let the edge in to port 80 of the web server, and all others of its group.
fn rules(inside: &Cloud) -> (Vec<String>, String) {
    let path = format!("/security-groups?project_id={}", inside.project);
    let groups = inside.list(Api::Network, &path, "security_groups");
    let path = format!("/security-group-rules?project_id={}", inside.project);
    let rules = inside.list(Api::Network, &path, "security_group_rules");
    let site = rules.iter().filter(|rule| {
        rule["port_range_min"] == 80 && rule["remote_ip_prefix"] == "198.51.100.3/32"
    });
    let site: Vec<_> = site.cloned().collect();
    let group = match site.first() {
        Some(rule) => text(&rule["security_group_id"]),
        None => text(&groups[0]["id"]),
    };
    (site.iter().map(|rule| text(&rule["id"])).collect(), group)
}

#[test]
fn a_server_that_was_deleted_is_built_again() {
    let (stage, _, inside) = blade("lost", 0);
    let before = text(&stage.state("mkys_blade.this")["server_ids"]["web"]);
    inside.delete(Api::Compute, &format!("/servers/{before}"));
    wait::until("the server's end", 30, || {
        let path = format!("/servers/{before}");
        inside.ask("GET", Api::Compute, &path, None).err()
    });
    let plan = stage.plan_changes();
    assert!(plan.contains("server \\\"web\\\" is gone"), "{plan}");
    stage.apply();
    stage.settled();
    let after = text(&stage.state("mkys_blade.this")["server_ids"]["web"]);
    assert_ne!(before, after);
    let server = inside.get(Api::Compute, &format!("/servers/{after}"));
    assert_eq!(server["server"]["status"], "ACTIVE");
    stage.destroy();
}

#[test]
fn rules_quota_and_members_are_put_back() {
    let (stage, name, inside) = blade("drift", 1);
    let server = stage.state("mkys_blade.this")["server_ids"].clone();

    let (site, group) = rules(&inside);
    inside.delete(Api::Network, &format!("/security-group-rules/{}", site[0]));
    let wide = json!({ "security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    } });
    inside.post(Api::Network, "/security-group-rules", &wide);
    let project = inside.project.clone();
    let quota = json!({ "quota_set": { "cores": 2 } });
    let path = format!("/os-quota-sets/{project}");
    stage.cloud.put(Api::Compute, &path, Some(&quota));
    let path = format!("/projects/{project}");
    let description = json!({ "project": { "description": "somebody else's" } });
    stage.cloud.patch(Api::Identity, &path, &description);
    // the way to the server: no floating IP
    let ports = || {
        let path = format!("/ports?device_id={}", text(&server["web"]));
        inside.list(Api::Network, &path, "ports").remove(0)
    };
    let addresses = || {
        let path = format!("/floatingips?project_id={}", inside.project);
        inside.list(Api::Network, &path, "floatingips").remove(0)
    };
    let port = ports();
    inside.delete(
        Api::Network,
        &format!("/floatingips/{}", text(&addresses()["id"])),
    );
    // as a creation leaves it that could not take its mark off in the end
    let marks = |tags: &[&str]| {
        let body = json!({ "tags": tags });
        let path = format!("/projects/{project}/tags");
        stage.cloud.put(Api::Identity, &path, Some(&body));
    };
    marks(&["mkys-blade", "mkys-creating"]);
    let members = || {
        let group = &stage.cloud.named("groups", &format!("{name}-admin"))[0];
        let users = stage
            .cloud
            .list(Api::Identity, &format!("/groups/{group}/users"), "users");
        let mut names: Vec<_> = users.iter().map(|user| text(&user["name"])).collect();
        names.sort();
        (group.clone(), names)
    };
    let bob = &stage.cloud.named("users", "bob")[0];
    stage.cloud.delete(
        Api::Identity,
        &format!("/groups/{}/users/{bob}", members().0),
    );

    let path = format!("/servers/{}", text(&server["web"]));
    let status = || text(&inside.get(Api::Compute, &path)["server"]["status"]);
    let stop = json!({ "os-stop": null });
    inside.post(Api::Compute, &format!("{path}/action"), &stop);
    wait::until("the server's stop", 60, || {
        (status() == "SHUTOFF").then_some(())
    });

    let plan = stage.plan_changes();
    for shown in [
        "server \\\"web\\\" is stopped",
        "the rule for tcp 80 from 198.51.100.3/32 is missing",
        "somebody added a rule for tcp 22 from 0.0.0.0/0",
        "cores   = 2 -> 6",
        "+ \"bob\"",
        "- description = \"somebody else's\"",
        "it is still marked as unfinished",
        "the floating IP of server \\\"web\\\" for users is gone",
    ] {
        assert!(
            plan.contains(shown),
            "the plan does not show {shown:?}: {plan}"
        );
    }
    stage.apply();
    stage.settled();
    let (site, group) = rules(&inside);
    assert_eq!(site.len(), 1);
    let path = format!("/security-group-rules?security_group_id={group}&port_range_min=22");
    assert_eq!(
        inside.list(Api::Network, &path, "security_group_rules"),
        [json!(null); 0]
    );
    let limits = stage
        .cloud
        .get(Api::Compute, &format!("/os-quota-sets/{project}"));
    assert_eq!(limits["quota_set"]["cores"], 6);
    assert_eq!(members().1, ["alice", "bob"]);
    let described = stage
        .cloud
        .get(Api::Identity, &format!("/projects/{project}"));
    assert_eq!(
        described["project"]["description"],
        format!("MKYS blade {name}")
    );
    assert_eq!(described["project"]["tags"], json!(["mkys-blade"]));
    assert_eq!(stage.state("mkys_blade.this")["server_ids"], server);
    assert_eq!(status(), "ACTIVE");

    let address = addresses();
    let endpoint = text(&stage.state("mkys_blade.this")["endpoints"]["site"]["users"]);
    assert_eq!(
        endpoint,
        format!("{}:80", text(&address["floating_ip_address"]))
    );

    // one that leads nowhere leads to the server again
    let path = format!("/floatingips/{}", text(&address["id"]));
    let nowhere = json!({ "floatingip": { "port_id": null } });
    inside.put(Api::Network, &path, Some(&nowhere));
    assert!(stage.plan_changes().contains("leads nowhere"));
    stage.apply();
    stage.settled();
    assert_eq!(addresses()["port_id"], port["id"]);

    // a quota that holds the blade, and not a second server beside the one that serves
    let next = text_with(&name, 1).replace("echo ok", "echo fine");
    stage.write(&next);
    let ended = stage.run(&["plan", "-no-color"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 1, "{said}");
    for word in [
        "The quota cannot hold the update: cores",
        "new revision of server \"web\" stands beside the old one the blade needs 2",
        "project.quota.cores is 1",
    ] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    // the CLI plans what is there before it plans its end
    stage.write(&text_with(&name, 6));
    stage.destroy();
}

#[test]
fn networks_and_whole_rules_are_put_back() {
    let (stage, _, inside) = blade("wires", 0);
    let server = text(&stage.state("mkys_blade.this")["server_ids"]["web"]);
    let first = |kind: &str| {
        let path = format!("/{kind}?project_id={}", inside.project);
        text(&inside.list(Api::Network, &path, kind)[0]["id"])
    };
    let change = |kind: &str, id: &str, properties: serde_json::Value| {
        let body = json!({ kind: properties });
        inside.put(Api::Network, &format!("/{kind}s/{id}"), Some(&body));
    };
    let (network, subnet, router) = (first("networks"), first("subnets"), first("routers"));
    let port =
        text(&inside.list(Api::Network, &format!("/ports?device_id={server}"), "ports")[0]["id"]);
    let address = first("floatingips");
    change("floatingip", &address, json!({ "port_id": null }));
    let leg = json!({ "subnet_id": subnet });
    inside.put(
        Api::Network,
        &format!("/routers/{router}/remove_router_interface"),
        Some(&leg),
    );
    change(
        "router",
        &router,
        json!({ "admin_state_up": false, "external_gateway_info": {} }),
    );
    change("network", &network, json!({ "admin_state_up": false }));
    change(
        "subnet",
        &subnet,
        json!({ "enable_dhcp": false, "gateway_ip": null }),
    );
    change(
        "port",
        &port,
        json!({ "admin_state_up": false, "allowed_address_pairs": [{ "ip_address": "0.0.0.0/0" }] }),
    );
    let (site, group) = rules(&inside);
    inside.delete(Api::Network, &format!("/security-group-rules/{}", site[0]));
    let wide = |cloud: &Cloud| {
        let rule = json!({ "security_group_rule": {
            "security_group_id": group, "direction": "ingress", "protocol": "tcp",
            "port_range_min": 80, "port_range_max": 65535, "remote_ip_prefix": "198.51.100.3/32",
        } });
        cloud.post(Api::Network, "/security-group-rules", &rule);
    };
    // by another project's administrator: no member of the blade's may take it away
    wide(&stage.cloud);
    let path = format!("/security-group-rules?security_group_id={group}&direction=egress");
    for rule in inside.list(Api::Network, &path, "security_group_rules") {
        inside.delete(
            Api::Network,
            &format!("/security-group-rules/{}", text(&rule["id"])),
        );
    }
    let plan = stage.plan_changes();
    for shown in [
        "network \\\"front\\\" (network) is disabled",
        "network \\\"front\\\" (subnet) gives out no addresses by DHCP",
        "network \\\"front\\\" (subnet) has lost its gateway",
        "network \\\"front\\\" (interface): the router has no leg in it",
        "router for users is disabled",
        "router for users has lost its gateway",
        "port of server \\\"web\\\" on network \\\"front\\\" is disabled",
        "may use other addresses",
        "leads nowhere",
        "the rule for tcp 80 from 198.51.100.3/32 is missing",
        "somebody added a rule for tcp 80-65535 from 198.51.100.3/32",
        "the rule for any protocol to anywhere is missing",
    ] {
        assert!(
            plan.contains(shown),
            "the plan does not show {shown:?}: {plan}"
        );
    }
    stage.apply();
    stage.settled();
    assert_eq!(
        text(&stage.state("mkys_blade.this")["server_ids"]["web"]),
        server
    );
    stage.destroy();
}
