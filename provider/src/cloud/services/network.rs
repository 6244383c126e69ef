//! Neutron: networks, routers, ports, security rules.

use std::net::Ipv4Addr;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::cloud::error::found;
use crate::cloud::{Call, CloudError, Service, Session};

/// A network.
#[derive(Clone, Debug, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether routers can have their gateway on it.
    #[serde(default, rename = "router:external")]
    pub external: bool,
}

/// A subnet.
#[derive(Clone, Debug, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its network.
    pub network_id: String,
    /// Its addresses.
    pub cidr: String,
}

/// A router.
#[derive(Clone, Debug, Deserialize)]
pub struct Router {
    /// Its id.
    pub id: String,
    /// Its static routes.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Route {
    /// Where to.
    pub destination: String,
    /// Over which address.
    pub nexthop: String,
}

/// A port.
#[derive(Clone, Debug, Deserialize)]
pub struct Port {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its network.
    #[serde(default)]
    pub network_id: String,
    /// What it belongs to.
    #[serde(default)]
    pub device_id: String,
    /// What kind of thing that is.
    #[serde(default)]
    pub device_owner: String,
    /// Its addresses.
    #[serde(default)]
    pub fixed_ips: Vec<FixedIp>,
    /// Whether it lets packets through.
    #[serde(default)]
    pub admin_state_up: Option<bool>,
    /// Ids of its security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
}

/// An address of a port.
#[derive(Clone, Debug, Deserialize)]
pub struct FixedIp {
    /// Subnet.
    pub subnet_id: String,
    /// Address.
    pub ip_address: String,
}

/// A floating IP.
#[derive(Clone, Debug, Deserialize)]
pub struct FloatingIp {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// The address.
    #[serde(rename = "floating_ip_address")]
    pub address: String,
    /// The port that it leads to.
    #[serde(default, rename = "port_id")]
    pub port: Option<String>,
    /// `ACTIVE` once packets find their way, `DOWN` before that, or `ERROR`.
    pub status: String,
}

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Protocol; `None`: any.
    #[serde(default)]
    pub protocol: Option<String>,
    /// First port.
    #[serde(default)]
    pub port_range_min: Option<u16>,
    /// Last port.
    #[serde(default)]
    pub port_range_max: Option<u16>,
    /// From or to where.
    #[serde(default)]
    pub remote_ip_prefix: Option<String>,
    /// From or to the members of which group.
    #[serde(default)]
    pub remote_group_id: Option<String>,
    /// `IPv4` or `IPv6`.
    #[serde(default)]
    pub ethertype: Option<String>,
    /// The project that made it, which need not be the group's.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Whoever made it may say so here.
    #[serde(default)]
    pub description: Option<String>,
}

/// Something with an id and a name, for lists of what is in the way.
#[derive(Clone, Debug, Deserialize)]
pub struct Thing {
    /// Its id.
    pub id: String,
    /// Its name; Cinder and Glance say null where whoever made it gave none.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub name: String,
}

fn null_is_empty<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

fn get(path: impl Into<String>) -> Call {
    Call::get(Service::Network, path)
}

/// All external networks that the session sees.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn external_networks(session: &Session) -> Result<Vec<Network>, CloudError> {
    session
        .send(
            get("/networks")
                .query("router:external", "true")
                .key("networks"),
        )
        .await
}

/// The subnets of a network.
pub async fn subnets(session: &Session, network: &str) -> Result<Vec<Subnet>, CloudError> {
    session
        .send(get("/subnets").query("network_id", network).key("subnets"))
        .await
}

/// A subnet by id.
pub async fn subnet(session: &Session, id: &str) -> Result<Option<Subnet>, CloudError> {
    found(
        session
            .send(get(format!("/subnets/{id}")).key("subnet"))
            .await,
    )
}

/// A router.
pub async fn router(session: &Session, id: &str) -> Result<Option<Router>, CloudError> {
    found(
        session
            .send(get(format!("/routers/{id}")).key("router"))
            .await,
    )
}

/// Adds static routes to a router, leaving those of others.
pub async fn add_routes(
    session: &Session,
    router: &str,
    routes: &[Route],
) -> Result<(), CloudError> {
    change_routes(session, router, "add_extraroutes", routes).await
}

/// Takes static routes off a router, leaving those of others.
pub async fn remove_routes(
    session: &Session,
    router: &str,
    routes: &[Route],
) -> Result<(), CloudError> {
    found(change_routes(session, router, "remove_extraroutes", routes).await).map(drop)
}

async fn change_routes(
    session: &Session,
    router: &str,
    action: &str,
    routes: &[Route],
) -> Result<(), CloudError> {
    if routes.is_empty() {
        return Ok(());
    }
    // Neutron's own atomic change (since Train): reading, changing and writing the whole list
    // would lose what others add meanwhile
    let body = json!({ "router": { "routes": routes } });
    session
        .run(Call::put(
            Service::Network,
            format!("/routers/{router}/{action}"),
            Some(body),
        ))
        .await
}

/// Gives a router a port.
pub async fn add_interface(session: &Session, router: &str, port: &str) -> Result<(), CloudError> {
    let body = Some(json!({ "port_id": port }));
    let path = format!("/routers/{router}/add_router_interface");
    session.run(Call::put(Service::Network, path, body)).await
}

/// Takes a port off a router; Neutron deletes the port with it.
pub async fn remove_interface(
    session: &Session,
    router: &str,
    port: &str,
) -> Result<(), CloudError> {
    let body = Some(json!({ "port_id": port }));
    let path = format!("/routers/{router}/remove_router_interface");
    found(session.run(Call::put(Service::Network, path, body)).await).map(drop)
}

/// Makes a port on a network in a project, with this address or any.
pub async fn create_port(
    session: &Session,
    project: &str,
    network: &str,
    name: &str,
    description: &str,
    address: Option<Ipv4Addr>,
) -> Result<Port, CloudError> {
    let mut body = json!({ "port": {
        "network_id": network,
        "project_id": project,
        "name": name,
        "description": description,
        "security_groups": [],
    } });
    if let Some(address) = address {
        body["port"]["fixed_ips"] = json!([{ "ip_address": address }]);
    }
    session
        .send(Call::post(Service::Network, "/ports", body).key("port"))
        .await
}

/// A port by id.
pub async fn port(session: &Session, id: &str) -> Result<Option<Port>, CloudError> {
    found(session.send(get(format!("/ports/{id}")).key("port")).await)
}

/// The ports of a network with a name.
pub async fn ports_named(
    session: &Session,
    network: &str,
    name: &str,
) -> Result<Vec<Port>, CloudError> {
    let call = get("/ports")
        .query("network_id", network)
        .query("name", name);
    session.send(call.key("ports")).await
}

/// The ports in a network, as far as the session sees them: its owner sees all.
pub async fn ports_in(session: &Session, network: &str) -> Result<Vec<Port>, CloudError> {
    session
        .send(get("/ports").query("network_id", network).key("ports"))
        .await
}

/// The ports of a device, such as a router.
pub async fn ports_of(session: &Session, device: &str) -> Result<Vec<Port>, CloudError> {
    session
        .send(get("/ports").query("device_id", device).key("ports"))
        .await
}

/// The ports that have an address, in whichever network.
pub async fn ports_at(session: &Session, address: &str) -> Result<Vec<Port>, CloudError> {
    let call = get("/ports").query("fixed_ips", format!("ip_address={address}"));
    session.send(call.key("ports")).await
}

/// Takes a port away.
pub async fn delete_port(session: &Session, id: &str) -> Result<(), CloudError> {
    found(
        session
            .run(Call::delete(Service::Network, format!("/ports/{id}")))
            .await,
    )
    .map(drop)
}

/// All rules of a security group.
pub async fn rules(session: &Session, group: &str) -> Result<Vec<Rule>, CloudError> {
    let call = get("/security-group-rules").query("security_group_id", group);
    session.send(call.key("security_group_rules")).await
}

/// Makes a rule that lets TCP in to one port, or everything of a protocol without a port.
pub async fn allow(
    session: &Session,
    group: &str,
    protocol: &str,
    port: Option<u16>,
    from: &str,
    description: &str,
) -> Result<Rule, CloudError> {
    let body = json!({ "security_group_rule": {
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": protocol,
        "port_range_min": port,
        "port_range_max": port,
        "remote_ip_prefix": from,
        "description": description,
    } });
    let call = Call::post(Service::Network, "/security-group-rules", body);
    session.send(call.key("security_group_rule")).await
}

/// Makes a rule that lets everything of an IP version out, as Neutron gives each new group two.
pub async fn allow_out(
    session: &Session,
    group: &str,
    ethertype: &str,
) -> Result<Rule, CloudError> {
    let body = json!({ "security_group_rule": {
        "security_group_id": group, "direction": "egress", "ethertype": ethertype,
    } });
    let call = Call::post(Service::Network, "/security-group-rules", body);
    session.send(call.key("security_group_rule")).await
}

/// Takes a rule away.
pub async fn delete_rule(session: &Session, id: &str) -> Result<(), CloudError> {
    let path = format!("/security-group-rules/{id}");
    found(session.run(Call::delete(Service::Network, path)).await).map(drop)
}

/// Puts a mark on a security group.
pub async fn tag_group(session: &Session, id: &str, tag: &str) -> Result<(), CloudError> {
    let path = format!("/security-groups/{id}/tags/{tag}");
    session.run(Call::put(Service::Network, path, None)).await
}

/// Whether a mark is on a security group.
pub async fn group_has_tag(session: &Session, id: &str, tag: &str) -> Result<bool, CloudError> {
    let call = get(format!("/security-groups/{id}/tags/{tag}"));
    Ok(found(session.run(call).await)?.is_some())
}

/// Takes away the group `default`, which Neutron makes for a project by itself and leaves behind when the project goes. Only a
/// cloud's administrator may.
pub async fn delete_default_group(session: &Session, project: &str) -> Result<(), CloudError> {
    for group in owned(session, "security-groups", project).await? {
        if group.name == "default" {
            let path = format!("/security-groups/{}", group.id);
            found(session.run(Call::delete(Service::Network, path)).await)?;
        }
    }
    Ok(())
}

/// Deletes a thing: `kind` is `networks`, `routers`, `security-groups`, ….
pub async fn delete(session: &Session, kind: &str, id: &str) -> Result<(), CloudError> {
    let path = format!("/{kind}/{id}");
    found(session.run(Call::delete(Service::Network, path)).await).map(drop)
}

/// Everything of one kind (`networks`, `routers`, `floatingips`, …) that a project owns.
pub async fn owned(
    session: &Session,
    kind: &'static str,
    project: &str,
) -> Result<Vec<Thing>, CloudError> {
    session
        .send(
            get(format!("/{kind}"))
                .query("project_id", project)
                .key(match kind {
                    "security-groups" => "security_groups",
                    kind => kind,
                }),
        )
        .await
}

/// The same with all that Neutron tells of them.
pub async fn details(
    session: &Session,
    kind: &'static str,
    project: &str,
) -> Result<Vec<Value>, CloudError> {
    let call = get(format!("/{kind}")).query("project_id", project);
    session.send(call.key(kind)).await
}

/// Changes a thing: `kind` is `network`, `subnet`, `router` or `port`.
pub async fn change(
    session: &Session,
    kind: &str,
    id: &str,
    properties: &Value,
) -> Result<(), CloudError> {
    let body = Some(json!({ kind: properties }));
    let path = format!("/{kind}s/{id}");
    session.run(Call::put(Service::Network, path, body)).await
}

/// Gives a router a leg in a subnet, at the subnet's gateway address.
pub async fn join_subnet(session: &Session, router: &str, subnet: &str) -> Result<(), CloudError> {
    let body = Some(json!({ "subnet_id": subnet }));
    let path = format!("/routers/{router}/add_router_interface");
    session.run(Call::put(Service::Network, path, body)).await
}

/// All ports that a project owns.
pub async fn owned_ports(session: &Session, project: &str) -> Result<Vec<Port>, CloudError> {
    session
        .send(get("/ports").query("project_id", project).key("ports"))
        .await
}

/// Gives a port these security groups and no others.
pub async fn set_groups(
    session: &Session,
    port: &str,
    groups: &[String],
) -> Result<(), CloudError> {
    let body = Some(json!({ "port": { "security_groups": groups } }));
    let path = format!("/ports/{port}");
    session.run(Call::put(Service::Network, path, body)).await
}

/// Lets a floating IP lead to a port.
pub async fn lead(session: &Session, floating_ip: &str, port: &str) -> Result<(), CloudError> {
    let body = Some(json!({ "floatingip": { "port_id": port } }));
    let path = format!("/floatingips/{floating_ip}");
    session.run(Call::put(Service::Network, path, body)).await
}

/// The floating IPs of a project.
pub async fn floating_ips(session: &Session, project: &str) -> Result<Vec<FloatingIp>, CloudError> {
    session
        .send(
            get("/floatingips")
                .query("project_id", project)
                .key("floatingips"),
        )
        .await
}
