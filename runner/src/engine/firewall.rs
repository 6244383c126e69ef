//! Keeps runs without `egress` from this machine's own services: one rule of its firewall.
//!
//! A network of a container engine has an address of the machine, and whatever listens on all addresses would be reached there. The rule
//! is for all closed networks at once, and stays: it is looked for before each run that needs it. Why: docs/adr/0016.

use std::io;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use tokio::process::Command;

const PROGRAM: &str = "iptables";
/// What is to be done with the first packet of anything that a closed run begins.
const DROP: [&str; 8] = [
    "-m",
    "conntrack",
    "--ctstate",
    "NEW,INVALID",
    "-m",
    "comment",
    "--comment",
    "mkys-runner",
];

/// Makes sure of the rule for the closed rooms of a network: those whose addresses have none of the bits of `open`.
pub(super) async fn close(network: Ipv4Net, open: u32) -> io::Result<()> {
    if rule("-C", network, open).await.is_ok() {
        return Ok(());
    }
    rule("-I", network, open).await
}

async fn rule(action: &str, network: Ipv4Net, open: u32) -> io::Result<()> {
    let done = Command::new(PROGRAM)
        .args(["--wait", "10", action, "INPUT", "--source"])
        .arg(source(network, open))
        .args(DROP)
        .args(["-j", "DROP"])
        .output()
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{PROGRAM}: {error}")))?;
    match done.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&done.stderr);
            Err(io::Error::other(format!("{PROGRAM}: {}", said.trim())))
        }
    }
}

/// An address and the bits of it that count.
fn source(network: Ipv4Net, open: u32) -> String {
    let mask = u32::from(network.netmask()) | open;
    format!("{}/{}", network.network(), Ipv4Addr::from(mask))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_for_closed_networks_alone() {
        let network = "10.89.4.0/22".parse().unwrap();
        assert_eq!(source(network, 8), "10.89.4.0/255.255.252.8");
    }
}
