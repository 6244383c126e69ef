//! Bridges, each with a hardware address of its own.

use super::Error;
use super::external::{run, succeeds};

/// Makes a bridge if there is none of that name, and brings it up.
pub(crate) fn up(name: &str) -> Result<(), Error> {
    if !succeeds(&["ip", "link", "show", "dev", name]) {
        run(&[
            "ip",
            "link",
            "add",
            name,
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ])?;
    }
    let address = hardware_address(name);
    run(&["ip", "link", "set", name, "address", &address, "up"]).map(drop)
}

/// A bridge without one takes the lowest of its ports', and another whenever that port goes: for seconds whoever has reached the node through
/// it sends to nobody.
fn hardware_address(name: &str) -> String {
    // locally administered; names differ in their ends
    let mut octets = [b'_'; 5];
    for (octet, byte) in octets.iter_mut().zip(name.bytes().rev()) {
        *octet = byte;
    }
    octets.iter().fold("02".to_owned(), |address, octet| {
        format!("{address}:{octet:02x}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bridge_has_an_address_of_its_own() {
        assert_eq!(hardware_address("mkys-users"), "02:73:72:65:73:75");
        assert_eq!(hardware_address("br"), "02:72:62:5f:5f:5f");
    }
}
