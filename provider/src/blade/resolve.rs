//! Names to ids, against what the cloud offers.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use mkys_blade::{Audience, Blade, Compiled, FlavorSize, PartName, Revision, overlap, parameter};
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::cloud::services::catalogue::{self, Flavor, Image};
use crate::cloud::services::network;
use crate::cloud::{CloudError, Service, Session};
use crate::nearest::nearest;
use crate::platform::Configured;

/// What every blade needs of a cloud.
pub(super) const SERVICES: [Service; 4] = [
    Service::Image,
    Service::Compute,
    Service::Network,
    Service::Orchestration,
];

/// A blade's parameters with their values, and the sizes of its flavors.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) sizes: BTreeMap<PartName, FlavorSize>,
    /// Whether no parameter is missing for want of a value that comes during apply.
    pub(super) is_whole: bool,
}

/// Resolves every name in `blade` to an id, but those of servers whose revision is in `standing`: Heat keeps the ids that they were made with,
/// so that an image or flavor that is renamed or deleted later stops neither an update nor the blade's end.
pub(super) async fn resolve(
    configured: &Configured,
    session: &Session,
    blade: &Blade,
    compiled: &Compiled,
    standing: &BTreeMap<PartName, Revision>,
) -> Result<Resolved, Diagnostics> {
    let mut problems = Diagnostics::new();
    let resolved = look_up(
        configured,
        session,
        blade,
        compiled,
        standing,
        &mut problems,
    )
    .await?;
    problems.into_result()?;
    Ok(resolved)
}

/// The same, where what the cloud does not have is one problem among others.
pub(super) async fn look_up(
    configured: &Configured,
    session: &Session,
    blade: &Blade,
    compiled: &Compiled,
    standing: &BTreeMap<PartName, Revision>,
    problems: &mut Diagnostics,
) -> Result<Resolved, CloudError> {
    let mut services = SERVICES.to_vec();
    if blade
        .servers
        .values()
        .any(|server| !server.volumes.is_empty())
    {
        services.push(Service::Volume);
    }
    session.require(&services).await?;
    let mut resolved = Resolved {
        parameters: compiled.secrets.clone(),
        sizes: BTreeMap::new(),
        is_whole: true,
    };
    external(configured, session, blade, &mut resolved, problems).await?;
    if !blade.servers.is_empty() {
        let offer = Offer {
            images: catalogue::images(session).await?,
            flavors: catalogue::flavors(session).await?,
            key_pairs: catalogue::key_pairs(session).await?,
        };
        for (name, revision) in &compiled.revisions {
            match standing.get(name) == Some(revision) {
                true => offer.size(blade, name, &mut resolved),
                false => offer.server(blade, name, revision, &mut resolved, problems),
            }
        }
    }
    Ok(resolved)
}

struct Offer {
    images: Vec<Image>,
    flavors: Vec<Flavor>,
    key_pairs: Vec<String>,
}

impl Offer {
    fn server(
        &self,
        blade: &Blade,
        name: &PartName,
        revision: &Revision,
        resolved: &mut Resolved,
        problems: &mut Diagnostics,
    ) {
        let Some(server) = blade.servers.get(name) else {
            return;
        };
        let at = Path::root("servers").key(name.as_ref());
        let image_parameter = parameter::image(name, revision);
        match self.image(&server.image) {
            Ok(id) => drop(resolved.parameters.insert(image_parameter, id.to_owned())),
            Err((summary, detail)) => {
                let problem = Diagnostic::error(summary, detail);
                problems.push(problem.at(at.clone().attribute("image")));
            }
        }
        match self.flavor(&server.flavor) {
            Some(flavor) => {
                let parameter = parameter::flavor(name, revision);
                resolved.parameters.insert(parameter, flavor.id.clone());
                self.size(blade, name, resolved);
            }
            None => {
                let flavors = self.flavors.iter().map(|one| &*one.name);
                let detail = nearest("flavor", &server.flavor, flavors);
                let problem =
                    Diagnostic::error(format!("Unknown flavor {:?}", server.flavor), detail);
                problems.push(problem.at(at.clone().attribute("flavor")));
            }
        }
        if let Some(key) = &server.key_pair
            && !self.key_pairs.contains(key)
        {
            let known = self.key_pairs.iter().map(|one| &**one);
            let detail = format!(
                "{}\nNext: name one of the credential's own, or make it first (`openstack keypair \
                 create`).",
                nearest("key pair", key, known)
            );
            let problem = Diagnostic::error(format!("Unknown key pair {key:?}"), detail);
            problems.push(problem.at(at.attribute("key_pair")));
        }
    }

    /// Notes the size of a server's flavor, where the cloud still has it.
    fn size(&self, blade: &Blade, name: &PartName, resolved: &mut Resolved) {
        let server = blade.servers.get(name);
        if let Some(flavor) = server.and_then(|server| self.flavor(&server.flavor)) {
            let size = FlavorSize {
                vcpus: flavor.vcpus,
                ram: flavor.ram,
            };
            resolved.sizes.insert(name.clone(), size);
        }
    }

    fn flavor(&self, wanted: &str) -> Option<&Flavor> {
        let flavors = || self.flavors.iter();
        flavors()
            .find(|one| one.id == wanted)
            .or_else(|| flavors().find(|one| one.name == wanted))
    }

    /// The image's id; or summary and detail of why there is none to take.
    fn image(&self, wanted: &str) -> Result<&str, (String, String)> {
        if let Some(image) = self.images.iter().find(|image| image.id == wanted) {
            return Ok(&image.id);
        }
        let named: Vec<_> = self
            .images
            .iter()
            .filter(|image| image.name.as_deref() == Some(wanted) && image.status == "active")
            .collect();
        match named[..] {
            [image] => Ok(&image.id),
            [] => {
                let names = self.images.iter().filter_map(|image| image.name.as_deref());
                let detail = nearest("image", wanted, names);
                Err((format!("Unknown image {wanted:?}"), detail))
            }
            _ => {
                let ids: Vec<_> = named.iter().map(|image| &*image.id).collect();
                let detail = format!("Name one by its id: {}.", ids.join(", "));
                Err((format!("Several images are named {wanted:?}"), detail))
            }
        }
    }
}

async fn external(
    configured: &Configured,
    session: &Session,
    blade: &Blade,
    resolved: &mut Resolved,
    problems: &mut Diagnostics,
) -> Result<(), CloudError> {
    let networks = network::external_networks(session).await?;
    for audience in Audience::ALL {
        if audience == Audience::Devops && !blade.has_devops() {
            continue;
        }
        let word = audience.as_str();
        let wanted = match configured.external.get(&audience) {
            Some(Attr::Unknown) => {
                resolved.is_whole = false;
                continue;
            }
            named => named.and_then(Attr::as_str).unwrap_or(word),
        };
        let found = networks
            .iter()
            .find(|one| one.id == wanted || one.name == wanted);
        let Some(found) = found else {
            let detail = format!(
                "{} Name the external network of the {word} audience in the provider's \
                 `external_networks`.",
                nearest(
                    "external network",
                    wanted,
                    networks.iter().map(|one| &*one.name)
                )
            );
            problems.push(Diagnostic::error(
                format!("Unknown external network {wanted:?}"),
                detail,
            ));
            continue;
        };
        resolved
            .parameters
            .insert(parameter::external(audience), found.id.clone());
        let stated = match audience {
            Audience::Users => None,
            Audience::Devops if configured.devops_cidrs.is_unknown() => {
                resolved.is_whole = false;
                continue;
            }
            Audience::Devops => configured.devops_cidrs.known(),
        };
        let mut cidrs: Vec<_> = stated
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        if cidrs.is_empty() {
            // not within the blade's project: its members do not see them
            let own = session.cloud().own();
            let subnets = network::subnets(&own, &found.id).await?;
            cidrs.extend(subnets.into_iter().map(|subnet| subnet.cidr));
        }
        problems.extend(hidden(blade, &found.name, &cidrs));
        if audience == Audience::Devops {
            if cidrs.is_empty() {
                let detail = "Neutron does not show its subnets to this credential. Give them in \
                              the provider's `external_networks.devops_cidrs`.";
                problems.push(Diagnostic::error(
                    format!("The addresses of external network {wanted:?} are not known"),
                    detail,
                ));
            }
            resolved
                .parameters
                .insert(parameter::DEVOPS_CIDRS.to_owned(), cidrs.join(","));
        }
    }
    Ok(())
}

/// The blade's networks that would hide addresses of an external one: no router can have both.
fn hidden(blade: &Blade, external: &str, cidrs: &[String]) -> Diagnostics {
    let cidrs: Vec<Ipv4Net> = cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect();
    let networks = blade.networks.iter().map(|(name, network)| {
        let at = Path::root("networks").key(name.as_ref()).attribute("cidr");
        (format!("Network {:?}", name.as_ref()), network.cidr, at)
    });
    let ops = blade.has_devops().then(|| {
        let summary = "The devops network (ops_cidr)".to_owned();
        (summary, blade.ops_cidr, Path::root("ops_cidr"))
    });
    let overlapping = networks.chain(ops).filter_map(|(what, own, at)| {
        let other = cidrs.iter().find(|other| overlap(**other, own))?;
        let detail = format!(
            "{own} overlaps {other} of external network {external:?}, which the blade's router is joined to. Take another range, such as \
             one of 10.0.0.0/8 that is free."
        );
        let summary = format!("{what} overlaps external network {external:?}");
        Some(Diagnostic::error(summary, detail).at(at))
    });
    overlapping.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_blade::Definition;
    use serde_json::json;

    use super::*;

    /// A blade of one server, with a service for this audience.
    fn blade(audience: &str) -> Blade {
        let definition: Definition = serde_json::from_value(json!({
            "name": "a",
            "networks": { "front": { "cidr": "10.1.0.0/24" } },
            "ops_cidr": "10.2.0.0/24",
            "servers": { "web": { "image": "i", "flavor": "f", "networks": ["front"] } },
            "services": { "site": { "server": "web", "port": 80, "audiences": [audience] } },
        }))
        .unwrap();
        definition.validate().unwrap()
    }

    #[test]
    fn no_network_of_a_blade_hides_an_external_one() {
        let cases = [
            ("users", "10.3.0.0/16", ""),
            (
                "users",
                "10.1.0.128/25",
                "networks[\"front\"].cidr: Network \"front\" overlaps",
            ),
            // there is none without a service for devops
            ("users", "10.2.0.0/16", ""),
            (
                "devops",
                "10.2.0.0/16",
                "ops_cidr: The devops network (ops_cidr) overlaps",
            ),
        ];
        for (audience, external, expected) in cases {
            let said = hidden(&blade(audience), "ext", &[external.to_owned()]).to_string();
            assert!(
                said.starts_with(expected) && said.is_empty() == expected.is_empty(),
                "{external}: {said}"
            );
        }
    }
}
