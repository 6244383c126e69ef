//! What a blade takes from its quota.

use std::collections::BTreeMap;

use crate::blade::{Audience, Blade};
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

/// How much of each quota a blade takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(Quota);

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
            .filter(|name| blade.audiences_of(name).contains(&Audience::Devops))
            .count();
        Self(Quota {
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
        })
    }

    /// What these servers take on top while each has a new revision beside the one that serves.
    pub fn of_second<'a>(
        blade: &Blade,
        sizes: &BTreeMap<PartName, FlavorSize>,
        servers: impl IntoIterator<Item = &'a PartName>,
    ) -> Self {
        let (mut instances, mut ports) = (0, 0);
        let mut all = FlavorSize::default();
        for name in servers {
            let size = sizes.get(name).copied().unwrap_or_default();
            let server = blade.servers.get(name);
            let devops = usize::from(blade.audiences_of(name).contains(&Audience::Devops));
            instances += 1;
            ports += server.map_or(0, |server| server.networks.len()) + devops;
            all.vcpus += size.vcpus;
            all.ram += size.ram;
        }
        Self(Quota {
            instances: Some(instances),
            cores: Some(all.vcpus),
            ram: Some(all.ram),
            ports: i64::try_from(ports).ok(),
            security_groups: Some(instances),
            ..Quota::default()
        })
    }

    /// What `blade` takes that it did not `before`. A server that goes stays until the rest serves, so nothing is had from it.
    pub fn of_added(blade: &Blade, before: &Blade, sizes: &BTreeMap<PartName, FlavorSize>) -> Self {
        let mut stays = before.clone();
        stays
            .servers
            .retain(|name, _| blade.servers.contains_key(name));
        stays
            .services
            .retain(|_, service| blade.servers.contains_key(&service.server));
        let stand = sizes
            .iter()
            .filter(|(name, _)| stays.servers.contains_key(*name))
            .map(|(name, size)| (name.clone(), *size));
        Self::of(blade, sizes).less(Self::of(&stays, &stand.collect()))
    }

    /// What these are more than others.
    fn less(self, other: Self) -> Self {
        let less = |one: Option<i64>, other: Option<i64>| {
            one.map(|one| one.saturating_sub(other.unwrap_or(0)).max(0))
        };
        Self(self.0.with(&other.0, less))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        let sum = |one: Option<i64>, other: Option<i64>| {
            one.map_or(other, |one| Some(one.saturating_add(other.unwrap_or(0))))
        };
        Self(self.0.with(&more.0, sum))
    }

    /// The limits of `quota` that cannot hold the blade: name, needed, limit.
    pub fn beyond(&self, quota: &Quota) -> Vec<(&'static str, i64, i64)> {
        let limits = quota.entries();
        let needs = self.0.entries();
        let pairs = needs.into_iter().zip(limits);
        pairs
            .filter_map(|((name, needed), (_, limit))| {
                let (needed, limit) = (needed?, limit?);
                (limit >= 0 && needed > limit).then_some((name, needed, limit))
            })
            .collect()
    }
}
