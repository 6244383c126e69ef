//! Where the backplane's router sends packets already: a range leads one way.
//!
//! Neutron takes a second next hop for a destination, and the router spreads what is meant for one blade over both.

use ipnet::Ipv4Net;
use mkys_blade::overlap;
use mkys_plugin::{Diagnostic, Diagnostics, Path};

use super::ends::PORT_PREFIX;
use super::model::Model;
use crate::cloud::services::network::{self, Route};
use crate::cloud::{CloudError, Session};

/// Refuses a link of a blade whose ranges the backplane's router sends elsewhere. The routes that the link has made itself may lead to a
/// port that others took away.
pub(super) async fn check(
    own: &Session,
    model: &Model,
    router: &str,
    made: &[Route],
) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::new();
    let routes = network::router(own, router).await?;
    let routes = routes.map(|router| router.routes).unwrap_or_default();
    let interfaces = interfaces(own, router).await?;
    for (name, range) in model.ranges() {
        for route in routes.iter().filter(|route| !made.contains(route)) {
            let other = overlapping(&route.destination, range);
            let Some(other) = other else { continue };
            let way = Way::find(own, &route.nexthop).await?;
            if !way.is_link_of(model) {
                problems.push(refused(model, (&name, range), other, &way.told()));
            }
        }
        for (cidr, address) in &interfaces {
            if let Some(other) = overlapping(cidr, range) {
                let way = format!("its own interface {address}");
                problems.push(refused(model, (&name, range), other, &way));
            }
        }
    }
    problems.into_result()
}

fn overlapping(other: &str, range: Ipv4Net) -> Option<Ipv4Net> {
    let other = other.parse().ok()?;
    overlap(other, range).then_some(other)
}

/// The ranges that a router is in itself, each with its address there.
async fn interfaces(own: &Session, router: &str) -> Result<Vec<(String, String)>, CloudError> {
    let mut all = Vec::new();
    for port in network::ports_of(own, router).await? {
        for ip in port.fixed_ips {
            if let Some(subnet) = network::subnet(own, &ip.subnet_id).await? {
                all.push((subnet.cidr, ip.ip_address));
            }
        }
    }
    Ok(all)
}

/// What a route leads over.
struct Way {
    address: String,
    /// Names of the blades whose links' ports have the address.
    blades: Vec<String>,
}

impl Way {
    async fn find(own: &Session, address: &str) -> Result<Self, CloudError> {
        let ports = network::ports_at(own, address).await?;
        let blades = ports
            .iter()
            .filter_map(|port| port.name.strip_prefix(PORT_PREFIX).map(str::to_owned));
        Ok(Self {
            address: address.to_owned(),
            blades: blades.collect(),
        })
    }

    /// Whether it is this link's own, be it of an apply that was killed before its state was written, or one that it replaces.
    fn is_link_of(&self, model: &Model) -> bool {
        let blade = model.blade_name();
        self.blades.iter().any(|one| Some(one.as_str()) == blade)
    }

    fn told(&self) -> String {
        match &self.blades[..] {
            [] => self.address.clone(),
            [blade, ..] => format!("{} (the link of blade {blade:?})", self.address),
        }
    }
}

fn refused(model: &Model, (name, range): (&str, Ipv4Net), other: Ipv4Net, way: &str) -> Diagnostic {
    let detail = format!(
        "Network {name:?} of blade {:?} is {range}, and the router of the backplane {:?} sends {other} to {way}: what is meant for one \
         would reach the other. Give the network another range, or first take away what leads there.",
        model.blade_name().unwrap_or_default(),
        model.backplane_name().unwrap_or_default(),
    );
    let summary = format!("The backplane sends {other} elsewhere already");
    Diagnostic::error(summary, detail).at(Path::root("blade"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, ResponseTemplate};

    use super::super::model::tests::link;
    use super::*;
    use crate::cloud::mock;

    /// What is said of a link of blade `a` to a backplane whose router is in 10.9.0.0/24, and sends 10.1.0.0/16 to the port of this name.
    async fn said(range: &str, port: &str) -> String {
        let (server, cloud) = mock::cloud().await;
        let network = |at: &str| Mock::given(path(format!("/network/v2.0/{at}")));
        let answer = |body| ResponseTemplate::new(200).set_body_json(body);
        let routes = json!([{ "destination": "10.1.0.0/16", "nexthop": "10.9.0.17" }]);
        let router = json!({ "router": { "id": "r", "routes": routes } });
        let interface =
            json!({ "id": "i", "fixed_ips": [{ "subnet_id": "s", "ip_address": "10.9.0.1" }] });
        let subnet = json!({ "subnet": { "id": "s", "network_id": "n", "cidr": "10.9.0.0/24" } });
        let hop = json!({ "id": "h", "name": port });
        let mocks = [
            network("routers/r").respond_with(answer(router)),
            network("ports")
                .and(query_param("device_id", "r"))
                .respond_with(answer(json!({ "ports": [interface] }))),
            network("ports")
                .and(query_param("fixed_ips", "ip_address=10.9.0.17"))
                .respond_with(answer(json!({ "ports": [hop] }))),
            network("subnets/s").respond_with(answer(subnet)),
        ];
        for mock in mocks {
            mock.mount(&server).await;
        }
        let checked = check(&cloud.own(), &link("a", range), "r", &[]).await;
        checked.map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[tokio::test]
    async fn a_range_that_leads_elsewhere_is_refused_with_where() {
        let cases = [
            ("10.2.0.0/24", "mkys-link-b", ""),
            ("10.1.7.0/24", "mkys-link-a", ""),
            (
                "10.1.7.0/24",
                "mkys-link-b",
                "sends 10.1.0.0/16 to 10.9.0.17 (the link of blade \"b\")",
            ),
            ("10.0.0.0/14", "", "sends 10.1.0.0/16 to 10.9.0.17: what"),
            (
                "10.9.0.0/28",
                "",
                "sends 10.9.0.0/24 to its own interface 10.9.0.1",
            ),
        ];
        for (range, port, expected) in cases {
            let said = said(range, port).await;
            assert!(said.contains(expected), "{range} {port}: {said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        }
    }
}
