//! Changes that somebody makes on the cloud and at the edge by hand, past the provider.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::happening::{Action, Change};
use super::platform::Platform;
use super::standing::{Allowed, Standing};
use crate::world::cloud::text;
use crate::world::{Api, wait};

/// Changes, or takes a change back.
pub(crate) fn make(platform: &Platform, standing: &Standing, change: Change) {
    let hand = Hand { platform, standing };
    match change {
        Change::Server(server, action) => hand.act(server, action),
        Change::Volume(server, status) => hand.set_volume(server, status),
        Change::VolumeDetached(server) => hand.detach(server),
        Change::VolumeDeleted(server) => hand.delete_volume(server),
        Change::ServerDeleted(server) => hand.delete_server(server),
        Change::PortDisabled(server) => {
            let port = hand.port(server);
            hand.change("port", &port, json!({ "admin_state_up": false }));
        }
        Change::PortDeleted(server) => {
            let port = hand.port(server);
            hand.delete("port", &port);
        }
        Change::NetworkDisabled => hand.enable("network", false),
        Change::RouterDisabled => hand.enable("router", false),
        Change::DhcpOff => {
            hand.change(
                "subnet",
                &hand.first("subnet"),
                json!({ "enable_dhcp": false }),
            );
        }
        Change::LegRemoved => {
            hand.change_address(json!({ "port_id": null }));
            let leg = json!({ "subnet_id": hand.first("subnet") });
            let path = format!("/routers/{}/remove_router_interface", hand.first("router"));
            platform.inside.put(Api::Network, &path, Some(&leg));
        }
        Change::GatewayRemoved => {
            hand.change(
                "subnet",
                &hand.first("subnet"),
                json!({ "gateway_ip": null }),
            );
        }
        Change::AddressUnassigned => hand.change_address(json!({ "port_id": null })),
        Change::AddressDeleted => hand.delete("floatingip", &hand.first("floatingip")),
        Change::RuleDeleted => {
            let rule = hand.rule();
            hand.delete("security-group-rule", &text(&rule["id"]));
        }
        Change::RuleAdded => hand.add_rule(),
        Change::LinkDisabled => hand.enable_link(false),
        Change::LinkDeleted => hand.unplug(),
        Change::RouteDeleted => {
            let route = text(&platform.state("mkys_route.site")["id"]);
            platform.edge.remove(&route);
        }
    }
}

/// Takes a change back.
pub(crate) fn take_back(platform: &Platform, standing: &Standing, change: Change) {
    let hand = Hand { platform, standing };
    match change {
        Change::Server(server, action) => hand.undo(server, action),
        Change::Volume(server, _) => hand.set_volume(server, "in-use"),
        Change::PortDisabled(server) => {
            let port = hand.port(server);
            hand.change("port", &port, json!({ "admin_state_up": true }));
        }
        Change::NetworkDisabled => hand.enable("network", true),
        Change::RouterDisabled => hand.enable("router", true),
        Change::DhcpOff => {
            hand.change(
                "subnet",
                &hand.first("subnet"),
                json!({ "enable_dhcp": true }),
            );
        }
        Change::GatewayRemoved => {
            let gateway = json!({ "gateway_ip": "10.70.1.1" });
            hand.change("subnet", &hand.first("subnet"), gateway);
        }
        Change::LinkDisabled => hand.enable_link(true),
        Change::RuleAdded => {
            let rule = hand.added_rule();
            hand.delete("security-group-rule", &rule);
        }
        other => panic!("nobody takes {other:?} back"),
    }
}

/// What may become of the platform for a change.
pub(crate) fn allows(change: Change, allowed: &mut Allowed) {
    let server = BTreeSet::from_iter(change.server());
    allowed.restarted.extend(&server);
    match change {
        Change::VolumeDeleted(_) => {
            allowed.volumes.extend(&server);
            allowed.replaced.extend(&server);
        }
        Change::ServerDeleted(_)
        | Change::PortDeleted(_)
        | Change::VolumeDetached(_)
        | Change::Volume(_, "available")
        | Change::Server(_, Action::Error) => allowed.replaced.extend(&server),
        _ => {}
    }
}

/// Whoever makes them.
struct Hand<'a> {
    platform: &'a Platform,
    standing: &'a Standing,
}

impl Hand<'_> {
    fn act(&self, server: &str, action: Action) {
        let (word, status) = match action {
            Action::Pause => ("pause", "PAUSED"),
            Action::Suspend => ("suspend", "SUSPENDED"),
            Action::Shelve => ("shelve", "SHELVED_OFFLOADED"),
            Action::Stop => ("os-stop", "SHUTOFF"),
            Action::Error => return self.reset(server, "error", "ERROR"),
        };
        self.ask(server, word, status);
    }

    fn undo(&self, server: &str, action: Action) {
        let word = match action {
            Action::Pause => "unpause",
            Action::Suspend => "resume",
            Action::Shelve => "unshelve",
            Action::Stop => "os-start",
            Action::Error => return self.reset(server, "active", "ACTIVE"),
        };
        self.ask(server, word, "ACTIVE");
    }

    fn ask(&self, server: &str, word: &str, status: &str) {
        let path = format!("/servers/{}", self.standing.server(server));
        let inside = &self.platform.inside;
        let body = json!({ word: null });
        inside.post(Api::Compute, &format!("{path}/action"), &body);
        self.is(&path, status);
    }

    fn reset(&self, server: &str, state: &str, status: &str) {
        let path = format!("/servers/{}", self.standing.server(server));
        let body = json!({ "os-resetState": { "state": state } });
        let cloud = &self.platform.stage.cloud;
        cloud.post(Api::Compute, &format!("{path}/action"), &body);
        self.is(&path, status);
    }

    fn is(&self, path: &str, status: &str) {
        let inside = &self.platform.inside;
        wait::until(status, 120, || {
            let server = &inside.get(Api::Compute, path)["server"];
            // Nova takes the next action when it is done with the one before
            let is_done = server["OS-EXT-STS:task_state"].is_null();
            (server["status"] == status && is_done).then_some(())
        });
    }

    fn set_volume(&self, server: &str, status: &str) {
        let path = format!("/volumes/{}/action", self.standing.volume(server));
        let body = json!({ "os-reset_status": { "status": status } });
        self.platform.stage.cloud.post(Api::Volume, &path, &body);
    }

    fn detach(&self, server: &str) {
        let (server, volume) = (self.standing.server(server), self.standing.volume(server));
        let inside = &self.platform.inside;
        let path = format!("/servers/{server}/os-volume_attachments/{volume}");
        inside.delete(Api::Compute, &path);
        wait::until("the volume's detachment", 120, || {
            let path = format!("/volumes/{volume}");
            (inside.get(Api::Volume, &path)["volume"]["status"] == "available").then_some(())
        });
    }

    fn delete_volume(&self, server: &str) {
        self.detach(server);
        let path = format!("/volumes/{}", self.standing.volume(server));
        let inside = &self.platform.inside;
        inside.delete(Api::Volume, &path);
        wait::until("the volume's end", 120, || {
            inside.ask("GET", Api::Volume, &path, None).err()
        });
    }

    fn delete_server(&self, server: &str) {
        let path = format!("/servers/{}", self.standing.server(server));
        let inside = &self.platform.inside;
        inside.delete(Api::Compute, &path);
        wait::until("the server's end", 120, || {
            inside.ask("GET", Api::Compute, &path, None).err()
        });
    }

    /// The id of the only thing of a kind in the blade's project.
    fn first(&self, kind: &str) -> String {
        let inside = &self.platform.inside;
        let key = format!("{kind}s");
        let path = format!("/{key}?project_id={}", inside.project);
        text(&inside.list(Api::Network, &path, &key)[0]["id"])
    }

    fn port(&self, server: &str) -> String {
        let path = format!("/ports?device_id={}", self.standing.server(server));
        text(&self.platform.inside.list(Api::Network, &path, "ports")[0]["id"])
    }

    fn change(&self, kind: &str, id: &str, properties: Value) {
        let body = json!({ kind: properties });
        let path = format!("/{kind}s/{id}");
        self.platform.inside.put(Api::Network, &path, Some(&body));
    }

    fn enable(&self, kind: &str, is_enabled: bool) {
        let id = self.first(kind);
        self.change(kind, &id, json!({ "admin_state_up": is_enabled }));
    }

    fn change_address(&self, properties: Value) {
        self.change("floatingip", &self.first("floatingip"), properties);
    }

    fn delete(&self, kind: &str, id: &str) {
        let path = format!("/{kind}s/{id}");
        self.platform.inside.delete(Api::Network, &path);
    }

    /// Rules of the blade's project.
    fn rules(&self) -> Vec<Value> {
        let inside = &self.platform.inside;
        let path = format!("/security-group-rules?project_id={}", inside.project);
        inside.list(Api::Network, &path, "security_group_rules")
    }

    /// The rule that lets the edge in.
    fn rule(&self) -> Value {
        let rules = self.rules().into_iter();
        let mut own = rules.filter(|rule| rule["remote_ip_prefix"] == "198.51.100.3/32");
        own.next().unwrap()
    }

    fn add_rule(&self) {
        let group = self.rule()["security_group_id"].clone();
        let body = json!({ "security_group_rule": {
            "security_group_id": group, "direction": "ingress", "protocol": "tcp",
            "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
        } });
        // by an administrator of another project
        let cloud = &self.platform.stage.cloud;
        cloud.post(Api::Network, "/security-group-rules", &body);
    }

    fn added_rule(&self) -> String {
        let group = text(&self.rule()["security_group_id"]);
        let path = format!("/security-group-rules?security_group_id={group}&port_range_min=22");
        let cloud = &self.platform.stage.cloud;
        text(&cloud.list(Api::Network, &path, "security_group_rules")[0]["id"])
    }

    fn enable_link(&self, is_enabled: bool) {
        let link = text(&self.platform.state("mkys_backplane_link.this")["id"]);
        let body = json!({ "port": { "admin_state_up": is_enabled } });
        let path = format!("/ports/{link}");
        self.platform
            .stage
            .cloud
            .put(Api::Network, &path, Some(&body));
    }

    fn unplug(&self) {
        let link = text(&self.platform.state("mkys_backplane_link.this")["id"]);
        let path = format!("/routers/{}/remove_router_interface", self.router_of(&link));
        let body = json!({ "port_id": link });
        self.platform
            .stage
            .cloud
            .put(Api::Network, &path, Some(&body));
    }

    fn router_of(&self, port: &str) -> String {
        let cloud = &self.platform.stage.cloud;
        let port = cloud.get(Api::Network, &format!("/ports/{port}"));
        text(&port["port"]["device_id"])
    }
}
