//! The node's network fabric: a bridge for each external network, somebody outside the cloud on each, the edge between them.

use std::fs;

use super::external::{run, succeeds};
use super::{Error, Lab, bridge};
use crate::place::{self, EDGE, NODE_TO_EDGE, OPERATOR, TUNNEL, TUNNEL_ADDRESS, VISITOR};
use crate::settings::ExternalNetwork;

/// The node's end of the link to the edge.
const TO_EDGE: &str = "mkys-to-edge";
/// The edge's end.
const TO_NODE: &str = "node";

/// Makes what is missing of it.
pub(crate) fn weave(lab: &Lab) -> Result<(), Error> {
    let settings = &lab.settings;
    for (network, client, leg) in [
        (&settings.users, VISITOR, "mkys-visit"),
        (&settings.devops, OPERATOR, "mkys-operate"),
    ] {
        bridge::up(network.bridge())?;
        let node = with_prefix(network, network.node());
        run(&["ip", "addr", "replace", &node, "dev", network.bridge()])?;
        namespace(client)?;
        stand(
            network,
            client,
            leg,
            "eth0",
            &with_prefix(network, network.outside()),
        )?;
    }
    namespace(EDGE)?;
    for (network, leg) in [
        (&settings.users, "mkys-edge-u"),
        (&settings.devops, "mkys-edge-d"),
    ] {
        stand(
            network,
            EDGE,
            leg,
            network.name(),
            &with_prefix(network, network.edge()),
        )?;
    }
    edge_to_node()?;
    bridge::up(TUNNEL)?;
    run(&[
        "ip",
        "addr",
        "replace",
        &format!("{TUNNEL_ADDRESS}/24"),
        "dev",
        TUNNEL,
    ])?;
    // Security groups filter what crosses a bridge; absent where the kernel has it built in another way.
    for switch in ["iptables", "ip6tables"] {
        let _ = fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{switch}"), "1");
    }
    Ok(())
}

fn namespace(name: &str) -> Result<(), Error> {
    if !fs::exists(format!("/run/netns/{name}")).unwrap_or_default() {
        run(&["ip", "netns", "add", name])?;
    }
    run(&["ip", "-n", name, "link", "set", "lo", "up"]).map(drop)
}

/// Puts a namespace on an external network, with an address there.
fn stand(
    network: &ExternalNetwork,
    namespace: &str,
    leg: &str,
    link: &str,
    address: &str,
) -> Result<(), Error> {
    if !exists(leg) {
        run(&[
            "ip", "link", "add", leg, "type", "veth", "peer", "name", link, "netns", namespace,
        ])?;
    }
    run(&["ip", "link", "set", leg, "master", network.bridge(), "up"])?;
    run(&[
        "ip", "-n", namespace, "addr", "replace", address, "dev", link,
    ])?;
    run(&["ip", "-n", namespace, "link", "set", link, "up"]).map(drop)
}

fn edge_to_node() -> Result<(), Error> {
    if !exists(TO_EDGE) {
        run(&[
            "ip", "link", "add", TO_EDGE, "type", "veth", "peer", "name", TO_NODE, "netns", EDGE,
        ])?;
    }
    let prefix = |address: &str| format!("{address}/30");
    run(&[
        "ip",
        "addr",
        "replace",
        &prefix(NODE_TO_EDGE),
        "dev",
        TO_EDGE,
    ])?;
    run(&["ip", "link", "set", TO_EDGE, "up"])?;
    run(&[
        "ip",
        "-n",
        EDGE,
        "addr",
        "replace",
        &prefix(place::EDGE_TO_NODE),
        "dev",
        TO_NODE,
    ])?;
    run(&["ip", "-n", EDGE, "link", "set", TO_NODE, "up"]).map(drop)
}

fn exists(link: &str) -> bool {
    succeeds(&["ip", "link", "show", "dev", link])
}

fn with_prefix(network: &ExternalNetwork, address: std::net::Ipv4Addr) -> String {
    format!("{address}/{}", network.range().prefix_len())
}
