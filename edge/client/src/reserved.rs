//! Reserved address ranges. A route leads there only where a network of the token names the range itself.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Ranges with their names (RFC 6890).
const RESERVED: [(u32, u8, &str); 5] = [
    (0x0000_0000, 8, "this host"),
    (0x7f00_0000, 8, "loopback"),
    (0xa9fe_0000, 16, "link-local"),
    (0xe000_0000, 4, "multicast"),
    (0xf000_0000, 4, "reserved or broadcast"),
];

/// Checks that a target is an address of the networks' own kind: loopback, link-local, multicast and reserved ones are meant only by a
/// network that lies within that range, never by a wider one such as `0.0.0.0/0`.
///
/// # Errors
///
/// One sentence.
pub fn check_reserved(target: Ipv4Addr, networks: &[Ipv4Net]) -> Result<(), String> {
    for (address, length, name) in RESERVED {
        let range = Ipv4Net::new_assert(Ipv4Addr::from_bits(address), length);
        if range.contains(&target) && !is_named(target, networks, range) {
            return Err(format!(
                "{target} is a {name} address, which no network names: one within {range} would have to"
            ));
        }
    }
    Ok(())
}

/// Whether a network that lies within a range contains a target.
pub fn is_named(target: Ipv4Addr, networks: &[Ipv4Net], range: Ipv4Net) -> bool {
    let mut networks = networks.iter();
    networks.any(|network| network.contains(&target) && range.contains(network))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn reserved_targets_need_a_network_of_their_own() {
        let cases = [
            ("198.51.100.20", "0.0.0.0/0", true),
            ("10.88.0.5", "10.0.0.0/8", true),
            ("127.0.0.1", "0.0.0.0/0", false),
            ("127.0.0.1", "64.0.0.0/2", false),
            ("127.0.0.1", "127.0.0.0/8", true),
            ("127.0.0.1", "127.0.0.1/32", true),
            ("169.254.169.254", "0.0.0.0/0", false),
            ("169.254.169.254", "169.254.169.0/24", true),
            ("0.0.0.0", "0.0.0.0/0", false),
            ("224.0.0.1", "0.0.0.0/0", false),
            ("255.255.255.255", "0.0.0.0/0", false),
        ];
        for (target, network, fits) in cases {
            let networks = [network.parse().unwrap()];
            let checked = check_reserved(target.parse().unwrap(), &networks);
            assert_eq!(checked.is_ok(), fits, "{target} {network} {checked:?}");
        }
    }
}
