//! Taking over a link that exists, by the names of the two blades that it is between.

use mkys_blade::{Compiled, PartName};
use mkys_plugin::{Attr, Diagnostics};

use super::ends::{Ends, PORT_PREFIX};
use super::model::{BladeModel, Model};
use crate::blade::{self, Standing};
use crate::cloud::services::network::{self, Port};
use crate::cloud::{Cloud, CloudError, Session};

/// Finds a link by `BLADE/BACKPLANE`.
pub(super) async fn find(cloud: &Cloud, given: &str) -> Result<Model, Diagnostics> {
    let Some((blade, backplane)) = given.split_once('/') else {
        let detail = "Give the names of the two blades that it is between, BLADE/BACKPLANE.";
        return Err(Diagnostics::error(
            format!("{given:?} names no backplane link"),
            detail,
        ));
    };
    let own = cloud.own();
    let blade = blade::find(cloud, blade).await?;
    let backplane = blade::find(cloud, backplane).await?;
    let mut legs = legs(&own, &blade, &backplane).await?;
    let (network, port) = match (legs.pop(), legs.is_empty()) {
        (Some(leg), true) => leg,
        (leg, _) => {
            let said = match leg {
                None => "is not linked to",
                Some(_) => "has several links to",
            };
            let (blade, backplane) = (&blade.id.name, &backplane.id.name);
            let detail = format!(
                "A link's port is called \"{PORT_PREFIX}{blade}\", is the blade's router's, and lies in a network of the backplane."
            );
            return Err(Diagnostics::error(
                format!("Blade {blade:?} {said} blade {backplane:?}"),
                detail,
            ));
        }
    };
    let mut model = Model {
        blade: Attr::Known(BladeModel::of(&blade)),
        backplane: Attr::Known(BladeModel::of(&backplane)),
        network: network.into(),
        ..Model::default()
    };
    model.set_port(&port);
    let ends = Ends::find(&own, &model).await?;
    let address = model.address.as_str().unwrap_or_default().to_owned();
    // those that are missing show as drift
    model.set_routes(&ends.ways(&address));
    model.set_ports(ends.open_ports(&own).await?);
    Ok(model)
}

/// The ports by which a blade is in the backplane's networks, each with the network's name.
async fn legs(
    own: &Session,
    blade: &Standing,
    backplane: &Standing,
) -> Result<Vec<(String, Port)>, CloudError> {
    let name = format!("{PORT_PREFIX}{}", blade.id.name);
    let router = blade.stack.output(Compiled::ROUTER_OUTPUT);
    let mut legs = Vec::new();
    for network in backplane.definition.networks.keys() {
        let part = PartName::try_from(network.as_str()).ok();
        let id = part.and_then(|part| backplane.stack.output(&Compiled::network_output(&part)));
        let Some(id) = id else { continue };
        let ports = network::ports_named(own, id, &name).await?.into_iter();
        let ours = ports.filter(|port| Some(port.device_id.as_str()) == router);
        legs.extend(ours.map(|port| (network.clone(), port)));
    }
    Ok(legs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::model::tests::link;
    use super::*;
    use crate::cloud::mock;

    async fn answer(server: &MockServer, at: &str, query: (&str, &str), body: Value) {
        let mut mock = Mock::given(path(at.to_owned()));
        if !query.0.is_empty() {
            mock = mock.and(query_param(query.0, query.1));
        }
        let answer = ResponseTemplate::new(200).set_body_json(body);
        mock.respond_with(answer).mount(server).await;
    }

    /// A blade in a project of its name.
    async fn stands(server: &MockServer, name: &str, cidr: &str) {
        let project = json!({ "id": format!("p-{name}"), "name": name, "domain_id": "default", "tags": ["mkys-blade"] });
        let found = json!({ "projects": [project] });
        answer(server, "/v3/projects", ("name", name), found).await;
        let roles = json!({ "roles": [{ "id": "m", "name": "member" }] });
        let at = format!("/v3/projects/p-{name}/users/u/roles");
        answer(server, &at, ("", ""), roles).await;
        let definition = json!({ "name": name, "networks": { "front": { "cidr": cidr } } });
        let front = PartName::try_from("front").unwrap();
        let outputs = [
            (
                Compiled::DEFINITION_OUTPUT.to_owned(),
                definition.to_string(),
            ),
            (Compiled::ROUTER_OUTPUT.to_owned(), format!("r-{name}")),
            (Compiled::BACKPLANE_GROUP_OUTPUT.to_owned(), "g".to_owned()),
            (Compiled::network_output(&front), format!("n-{name}")),
        ];
        let outputs =
            outputs.map(|(key, value)| json!({ "output_key": key, "output_value": value }));
        let stack = json!({ "stack": { "id": "1", "stack_name": name, "stack_status": "CREATE_COMPLETE",
            "tags": ["mkys-blade"], "outputs": outputs } });
        answer(server, &format!("/heat/stacks/{name}"), ("", ""), stack).await;
    }

    /// What is imported by this, where the link's port is this router's.
    async fn imported(given: &str, router: &str) -> Result<Model, Diagnostics> {
        let (server, cloud) = mock::cloud().await;
        stands(&server, "a", "10.1.0.0/24").await;
        stands(&server, "devops", "10.99.0.0/24").await;
        let port = json!({ "id": "port", "name": "mkys-link-a", "device_id": router,
            "fixed_ips": [{ "subnet_id": "s", "ip_address": "10.99.0.17" }] });
        let ports = json!({ "ports": [port] });
        answer(
            &server,
            "/network/v2.0/ports",
            ("network_id", "n-devops"),
            ports,
        )
        .await;
        let subnet = json!({ "id": "s", "network_id": "n-devops", "cidr": "10.99.0.0/24" });
        let subnets = json!({ "subnets": [subnet] });
        answer(&server, "/network/v2.0/subnets", ("", ""), subnets).await;
        let rule = |port: u16, whose: &str| {
            json!({ "id": "1", "direction": "ingress", "port_range_min": port,
                    "description": format!("MKYS backplane link of blade {whose}") })
        };
        let rules =
            json!({ "security_group_rules": [rule(9200, "a"), rule(22, "b"), rule(9100, "a")] });
        answer(
            &server,
            "/network/v2.0/security-group-rules",
            ("", ""),
            rules,
        )
        .await;
        find(&cloud, given).await
    }

    #[tokio::test]
    async fn a_link_is_found_by_its_two_ends() {
        let model = imported("a/devops", "r-a").await.unwrap();
        let mut expected = link("a", "10.1.0.0/24");
        for (end, id) in [
            (&mut expected.blade, "p-a/a"),
            (&mut expected.backplane, "p-devops/devops"),
        ] {
            end.known_mut().unwrap().id = id.into();
        }
        expected.id = "port".into();
        expected.address = "10.99.0.17".into();
        expected.set_ports([9100, 9200]);
        expected.set_routes(&[network::Route {
            destination: "10.1.0.0/24".into(),
            nexthop: "10.99.0.17".into(),
        }]);
        assert_eq!(model, expected);
        // the order in which a configuration names its ports is no difference
        let mut planned = expected.clone();
        planned.set_ports([9200, 9100]);
        planned.keep_same(&model);
        assert_eq!(planned, model);
    }

    #[tokio::test]
    async fn what_is_no_link_is_said() {
        let cases = [
            ("a", "r-a", "\"a\" names no backplane link"),
            (
                "a/devops",
                "another",
                "Blade \"a\" is not linked to blade \"devops\"",
            ),
            ("a/b", "r-a", "There is no blade \"b\""),
        ];
        for (given, router, expected) in cases {
            let said = imported(given, router).await.unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
