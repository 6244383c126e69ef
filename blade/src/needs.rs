//! What a blade takes from its quota.

use std::collections::BTreeMap;

use crate::blade::Blade;
use crate::definition::Quota;
use crate::name::PartName;

/// Size of a flavor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlavorSize {
    /// Virtual processors.
    pub vcpus: i64,
    /// Memory in MiB.
    pub ram: i64,
}

/// How much of each quota a blade takes while it stands, and at the most while it is updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// While it stands.
    pub standing: Quota,
    /// What one more revision of its largest server takes on top, while it is updated.
    pub updating: FlavorSize,
}

impl Needs {
    /// Counts what `blade` takes; `sizes` has the size of each server's flavor.
    pub fn of(blade: &Blade, sizes: &BTreeMap<PartName, FlavorSize>) -> Self {
        let count = |n: usize| Some(i64::try_from(n).unwrap_or(i64::MAX));
        let volumes: Vec<_> = blade
            .servers
            .values()
            .flat_map(|server| server.volumes.values())
            .collect();
        let devops = usize::from(blade.has_devops());
        let audiences: usize = blade
            .servers
            .keys()
            .map(|name| blade.audiences_of(name).len())
            .sum();
        let ports: usize = blade
            .servers
            .values()
            .map(|server| server.networks.len())
            .sum();
        let with_devops = blade
            .servers
            .keys()
            .filter(|name| blade.audiences_of(name).contains(&crate::Audience::Devops))
            .count();
        let twice = blade
            .servers
            .keys()
            .filter(|name| blade.can_stand_twice(name))
            .filter_map(|name| sizes.get(name).copied());
        Self {
            standing: Quota {
                instances: count(blade.servers.len()),
                cores: Some(sizes.values().map(|size| size.vcpus).sum()),
                ram: Some(sizes.values().map(|size| size.ram).sum()),
                volumes: count(volumes.len()),
                gigabytes: Some(volumes.iter().map(|volume| i64::from(volume.size)).sum()),
                networks: count(blade.networks.len() + devops),
                // servers' ports, and of each network the router's and DHCP's
                ports: count(ports + with_devops + 2 * (blade.networks.len() + devops)),
                routers: count(1 + devops),
                floating_ips: count(audiences),
                // one a server, the backplane's, and the project's own `default`
                security_groups: count(blade.servers.len() + 2),
            },
            updating: twice.fold(FlavorSize::default(), |most, size| FlavorSize {
                vcpus: most.vcpus.max(size.vcpus),
                ram: most.ram.max(size.ram),
            }),
        }
    }

    /// The limits of `quota` that cannot hold the blade: name, needed, limit.
    pub fn beyond(&self, quota: &Quota) -> Vec<(&'static str, i64, i64)> {
        let limits = quota.entries();
        let needs = self.standing.entries();
        let pairs = needs.into_iter().zip(limits);
        pairs
            .filter_map(|((name, needed), (_, limit))| {
                let (needed, limit) = (needed?, limit?);
                (limit >= 0 && needed > limit).then_some((name, needed, limit))
            })
            .collect()
    }
}
