//! What netavark, podman's network program, leaves in the firewall: chains of its own, which nobody takes away when the last network goes.

use super::RUNS;
use crate::lab::external;

/// How the names of its chains begin.
const ITS: &str = "NETAVARK";

/// Takes its chains away, unless another engine on this machine has networks.
pub(super) fn away() {
    for line in removals(&saved()) {
        // the words are those that it quoted for a shell itself
        let _ = external::run(&["sh", "-c", &line]);
    }
}

/// Its chains that are there and that nobody else needs.
pub(super) fn left() -> Vec<String> {
    let saved = saved();
    let rules = Rules::parse(&saved);
    let chains = rules.chains.iter().filter(|_| !rules.has_others());
    chains
        .map(|(table, chain)| format!("firewall chain {chain} ({table})"))
        .collect()
}

/// Nothing where there is no firewall, or no right to see it.
fn saved() -> String {
    external::run(&["iptables-save"]).unwrap_or_default()
}

/// What `iptables-save` says of netavark, each line with its table.
#[derive(Default)]
struct Rules<'a> {
    chains: Vec<(&'a str, &'a str)>,
    rules: Vec<(&'a str, &'a str)>,
}

impl<'a> Rules<'a> {
    fn parse(saved: &'a str) -> Self {
        let (mut found, mut table) = (Self::default(), "");
        for line in saved.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            } else if let Some(chain) = line.strip_prefix(':') {
                let chain = chain.split(' ').next().unwrap_or_default();
                found
                    .chains
                    .extend(chain.starts_with(ITS).then_some((table, chain)));
            } else if let Some(rule) = line.strip_prefix("-A ") {
                found
                    .rules
                    .extend(rule.contains(ITS).then_some((table, rule)));
            }
        }
        found
    }

    /// Whether a network has a chain that is none of runs'. A network's chain is named by a hash.
    fn has_others(&self) -> bool {
        let of_a_network = |chain: &str| {
            let hash = chain.strip_prefix("NETAVARK-").unwrap_or_default();
            hash.len() > 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let mut networks = self.chains.iter().filter(|(_, chain)| of_a_network(chain));
        networks.any(|(_, chain)| {
            let mut rules = self.rules.iter();
            !rules.any(|(_, rule)| rule.contains(chain) && rule.contains(RUNS))
        })
    }
}

/// The commands that take them away: first what leads there, then what they hold, then they.
fn removals(saved: &str) -> Vec<String> {
    let rules = Rules::parse(saved);
    if rules.has_others() {
        return Vec::new();
    }
    let leads_there = rules
        .rules
        .iter()
        .filter(|(_, rule)| !rule.starts_with(ITS));
    let leads_there =
        leads_there.map(|(table, rule)| format!("iptables --wait --table {table} -D {rule}"));
    let each = |action: &str| {
        let chains = rules.chains.iter();
        let each = chains
            .map(|(table, chain)| format!("iptables --wait --table {table} {action} {chain}"));
        each.collect::<Vec<_>>()
    };
    leads_there.chain(each("-F")).chain(each("-X")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = r#"*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:NETAVARK_FORWARD - [0:0]
-A FORWARD -m comment --comment "netavark firewall plugin rules" -j NETAVARK_FORWARD
-A FORWARD -j OF_OTHERS
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:NETAVARK-HOSTPORT-MASQ - [0:0]
-A POSTROUTING -j NETAVARK-HOSTPORT-MASQ
-A NETAVARK-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
"#;

    #[test]
    fn its_chains_go_and_those_of_others_stay() {
        assert_eq!(
            removals(SAVED),
            [
                r#"iptables --wait --table filter -D FORWARD -m comment --comment "netavark firewall plugin rules" -j NETAVARK_FORWARD"#,
                "iptables --wait --table nat -D POSTROUTING -j NETAVARK-HOSTPORT-MASQ",
                "iptables --wait --table filter -F NETAVARK_FORWARD",
                "iptables --wait --table nat -F NETAVARK-HOSTPORT-MASQ",
                "iptables --wait --table filter -X NETAVARK_FORWARD",
                "iptables --wait --table nat -X NETAVARK-HOSTPORT-MASQ",
            ]
        );
        assert!(removals("*filter\n:FORWARD ACCEPT [0:0]\n").is_empty());
    }

    #[test]
    fn all_stay_while_another_engine_has_a_network() {
        let network = |range: &str| {
            format!(
                "{SAVED}:NETAVARK-1D8721804F16F - [0:0]\n-A POSTROUTING -s {range} -j NETAVARK-1D8721804F16F\n"
            )
        };
        assert!(removals(&network("10.88.0.0/16")).is_empty());
        assert_eq!(removals(&network("10.89.0.0/24")).len(), 9);
    }
}
