//! What may be set: the ranges of the two external networks.
//!
//! From the environment (`MKYS_LAB_USERS`, `MKYS_LAB_DEVOPS`), parsed once into values that can only be valid.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The environment variable with the users network's range.
pub const USERS_VARIABLE: &str = "MKYS_LAB_USERS";
/// The environment variable with the devops network's range.
pub const DEVOPS_VARIABLE: &str = "MKYS_LAB_DEVOPS";
const USERS: &str = "198.51.100.0/25";
const DEVOPS: &str = "198.51.100.128/25";
/// The last address that is used counts from the range's first: `.119` of the default users network.
const LARGEST_PREFIX: u8 = 25;

/// An external network: who stands where in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalNetwork {
    name: &'static str,
    bridge: &'static str,
    range: Ipv4Net,
}

impl ExternalNetwork {
    fn new(
        name: &'static str,
        bridge: &'static str,
        range: Ipv4Net,
    ) -> Result<Self, SettingsError> {
        if range.prefix_len() > LARGEST_PREFIX {
            return Err(SettingsError::TooSmall { name, range });
        }
        Ok(Self {
            name,
            bridge,
            range: range.trunc(),
        })
    }

    /// Its name in Neutron.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The bridge that carries it on the node.
    #[must_use]
    pub fn bridge(&self) -> &'static str {
        self.bridge
    }

    /// Its range.
    #[must_use]
    pub fn range(&self) -> Ipv4Net {
        self.range
    }

    /// The gateway of its pool: the client outside the cloud stands there.
    #[must_use]
    pub fn outside(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// The node's address: what a guest can reach.
    #[must_use]
    pub fn node(&self) -> Ipv4Addr {
        self.address(2)
    }

    /// The edge's address.
    #[must_use]
    pub fn edge(&self) -> Ipv4Addr {
        self.address(3)
    }

    /// First and last address that Neutron gives out.
    #[must_use]
    pub fn pool(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.address(20), self.address(119))
    }

    fn address(&self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.range.network().to_bits() + offset)
    }
}

/// The lab's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The network on which visitors reach services.
    pub users: ExternalNetwork,
    /// The network on which operators reach what is theirs.
    pub devops: ExternalNetwork,
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// Not a range.
    #[error("{variable}: \"{value}\" is no IPv4 range such as 198.51.100.0/25")]
    NotARange {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Too few addresses.
    #[error("the {name} network needs at least a /{LARGEST_PREFIX}, {range} is smaller")]
    TooSmall {
        /// The network's name.
        name: &'static str,
        /// The range that was asked for.
        range: Ipv4Net,
    },
    /// The networks' ranges have addresses in common.
    #[error("the users network {0} and the devops network {1} overlap")]
    Overlap(Ipv4Net, Ipv4Net),
}

impl Settings {
    /// Settings as the environment has them.
    ///
    /// # Errors
    /// When a variable is no range, or the ranges can't be used.
    pub fn from_environment() -> Result<Self, SettingsError> {
        let read = |variable| std::env::var(variable).ok();
        Self::new(read(USERS_VARIABLE), read(DEVOPS_VARIABLE))
    }

    /// Settings from what was typed; `None` is the default.
    ///
    /// # Errors
    /// When one is no range, or the ranges can't be used.
    pub fn new(users: Option<String>, devops: Option<String>) -> Result<Self, SettingsError> {
        let users = parse(USERS_VARIABLE, users, USERS)?;
        let devops = parse(DEVOPS_VARIABLE, devops, DEVOPS)?;
        if users.contains(&devops) || devops.contains(&users) {
            return Err(SettingsError::Overlap(users, devops));
        }
        Ok(Self {
            users: ExternalNetwork::new("users", "mkys-users", users)?,
            devops: ExternalNetwork::new("devops", "mkys-devops", devops)?,
        })
    }

    /// Both external networks.
    #[must_use]
    pub fn external(&self) -> [&ExternalNetwork; 2] {
        [&self.users, &self.devops]
    }
}

fn parse(
    variable: &'static str,
    value: Option<String>,
    default: &str,
) -> Result<Ipv4Net, SettingsError> {
    let value = value.unwrap_or_else(|| default.to_owned());
    value
        .parse()
        .map_err(|_| SettingsError::NotARange { variable, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_stand_where_the_documentation_says() {
        let settings = Settings::new(None, None).unwrap();
        let addresses = settings.external().map(|network| {
            let (first, last) = network.pool();
            [
                network.outside(),
                network.node(),
                network.edge(),
                first,
                last,
            ]
            .map(|a| a.to_string())
        });
        assert_eq!(
            addresses[0],
            [
                "198.51.100.1",
                "198.51.100.2",
                "198.51.100.3",
                "198.51.100.20",
                "198.51.100.119"
            ]
        );
        assert_eq!(
            addresses[1],
            [
                "198.51.100.129",
                "198.51.100.130",
                "198.51.100.131",
                "198.51.100.148",
                "198.51.100.247"
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (users, devops, says) in [
            ("hello", DEVOPS, "is no IPv4 range"),
            ("198.51.100.0/26", DEVOPS, "at least a /25"),
            ("198.51.100.0/24", DEVOPS, "overlap"),
        ] {
            let error = Settings::new(Some(users.into()), Some(devops.into())).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
