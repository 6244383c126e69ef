//! Quotas: one set for a blade, three services that each hold a part of it.

use std::collections::BTreeMap;

use mkys_blade::Quota;
use serde_json::{Map, Value, json};

use crate::cloud::error::found;
use crate::cloud::{Call, CloudError, Service, Session};

/// Which service holds a limit, and its name there.
const LIMITS: [(&str, Service, &str); 10] = [
    ("instances", Service::Compute, "instances"),
    ("cores", Service::Compute, "cores"),
    ("ram", Service::Compute, "ram"),
    ("volumes", Service::Volume, "volumes"),
    ("gigabytes", Service::Volume, "gigabytes"),
    ("networks", Service::Network, "network"),
    ("ports", Service::Network, "port"),
    ("routers", Service::Network, "router"),
    ("floating_ips", Service::Network, "floatingip"),
    ("security_groups", Service::Network, "security_group"),
];

fn place(service: Service, project: &str) -> (String, &'static str) {
    match service {
        Service::Network => (format!("/quotas/{project}"), "quota"),
        _ => (format!("/os-quota-sets/{project}"), "quota_set"),
    }
}

/// The limits that a service's refusal names, by our names.
pub fn named(reason: &str) -> Vec<&'static str> {
    let words: Vec<_> = reason
        .split(|one: char| !one.is_alphanumeric() && one != '_')
        .collect();
    let is_named = |name: &str| words.contains(&name);
    let limits = LIMITS.into_iter();
    let named = limits.filter(|(name, _, there)| is_named(name) || is_named(there));
    named.map(|(name, ..)| name).collect()
}

/// Sets the limits that `quota` names.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn set(session: &Session, project: &str, quota: &Quota) -> Result<(), CloudError> {
    for service in [Service::Compute, Service::Volume, Service::Network] {
        let limits: Map<String, Value> = quota
            .entries()
            .into_iter()
            .filter_map(|(name, limit)| {
                let (_, _, there) = LIMITS
                    .iter()
                    .find(|(known, of, _)| *known == name && *of == service)?;
                Some(((*there).to_owned(), json!(limit?)))
            })
            .collect();
        if limits.is_empty() {
            continue;
        }
        let (path, key) = place(service, project);
        session
            .run(Call::put(service, path, Some(json!({ key: limits }))))
            .await?;
    }
    Ok(())
}

/// Gives the limits that `before` names and `wanted` does not the cloud's defaults again.
pub async fn release(
    session: &Session,
    project: &str,
    before: &Quota,
    wanted: &Quota,
) -> Result<(), CloudError> {
    let left_out = before.without(wanted);
    if left_out == Quota::default() {
        return Ok(());
    }
    let defaults = left_out.observed(&defaults(session).await?);
    set(session, project, &defaults).await
}

/// Makes block storage that the cloud does not have an ordinary answer: a blade needs it for volumes alone.
fn offered<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CloudError::NoService {
            service: Service::Volume,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The limits that hold for a project.
pub async fn get(session: &Session, project: &str) -> Result<Quota, CloudError> {
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    for service in [Service::Compute, Service::Volume, Service::Network] {
        let (path, key) = place(service, project);
        let set = session.send(Call::get(service, path).key(key)).await;
        if let Some(set) = offered::<Map<String, Value>>(set)? {
            all.extend(limits(service, &set));
        }
    }
    Ok(from_map(&all))
}

/// The limits that a new project has, as far as the cloud tells them to the session.
pub async fn defaults(session: &Session) -> Result<Quota, CloudError> {
    // they are every project's, and asked for by any
    let Some(project) = session.identity().await?.project else {
        return Ok(Quota::default());
    };
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    for service in [Service::Compute, Service::Volume, Service::Network] {
        let (path, key) = place(service, &project.id);
        let path = match service {
            Service::Network => format!("{path}/default"),
            _ => format!("{path}/defaults"),
        };
        let set = session.send(Call::get(service, path).key(key)).await;
        match offered::<Map<String, Value>>(set) {
            Ok(Some(set)) => all.extend(limits(service, &set)),
            Ok(None) => {}
            Err(error) if error.is_forbidden() || error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(from_map(&all))
}

/// A service's limits, by our names.
fn limits(service: Service, set: &Map<String, Value>) -> BTreeMap<&'static str, i64> {
    let own = LIMITS.into_iter().filter(|(_, of, _)| *of == service);
    own.filter_map(|(name, _, there)| Some((name, set.get(there)?.as_i64()?)))
        .collect()
}

/// Limits less what is used of them, for the session's own project; what has no limit is absent. A limit that was lowered below what is
/// used leaves nothing.
pub async fn free(session: &Session, project: &str) -> Result<Quota, CloudError> {
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    let mut note = |name, limit: Option<i64>, used: Option<i64>| {
        if let (Some(limit), Some(used)) = (limit, used)
            && limit >= 0
        {
            all.insert(name, (limit - used).max(0));
        }
    };
    for (service, names) in [
        (
            Service::Compute,
            &[
                ("instances", "maxTotalInstances", "totalInstancesUsed"),
                ("cores", "maxTotalCores", "totalCoresUsed"),
                ("ram", "maxTotalRAMSize", "totalRAMUsed"),
            ][..],
        ),
        (
            Service::Volume,
            &[
                ("volumes", "maxTotalVolumes", "totalVolumesUsed"),
                ("gigabytes", "maxTotalVolumeGigabytes", "totalGigabytesUsed"),
            ][..],
        ),
    ] {
        let limits = session.send(Call::get(service, "/limits").key("limits"));
        let Some(limits) = offered::<Value>(limits.await)? else {
            continue;
        };
        let number = |name: &str| {
            limits
                .get("absolute")
                .and_then(|all| all.get(name)?.as_i64())
        };
        for (name, limit, used) in names {
            note(name, number(limit), number(used));
        }
    }
    let call = Call::get(Service::Network, format!("/quotas/{project}/details.json"));
    // an extension that not every Neutron has
    if let Some(set) = found(session.send::<Map<String, Value>>(call.key("quota")).await)? {
        for (name, service, there) in LIMITS {
            let number = |what: &str| set.get(there).and_then(|one| one.get(what)?.as_i64());
            if service == Service::Network {
                note(name, number("limit"), number("used"));
            }
        }
    }
    Ok(from_map(&all))
}

fn from_map(all: &BTreeMap<&str, i64>) -> Quota {
    let get = |name: &str| all.get(name).copied();
    Quota {
        instances: get("instances"),
        cores: get("cores"),
        ram: get("ram"),
        volumes: get("volumes"),
        gigabytes: get("gigabytes"),
        networks: get("networks"),
        ports: get("ports"),
        routers: get("routers"),
        floating_ips: get("floating_ips"),
        security_groups: get("security_groups"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use wiremock::matchers::path;
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    /// A quota of these limits alone.
    fn quota(limits: Value) -> Quota {
        serde_json::from_value(limits).unwrap()
    }

    #[tokio::test]
    async fn limit_left_out_gets_the_default_again() {
        let (server, cloud) = mock::cloud().await;
        let defaults = json!({ "quota_set": { "cores": 20, "ram": 51200 } });
        let answer = ResponseTemplate::new(200).set_body_json(defaults);
        let at = Mock::given(path("/compute/os-quota-sets/own/defaults"));
        at.respond_with(answer).mount(&server).await;
        let put = Mock::given(path("/compute/os-quota-sets/p"));
        put.respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        let (before, wanted) = (
            quota(json!({ "cores": 4, "ram": 1024 })),
            quota(json!({ "ram": 1024 })),
        );
        release(&cloud.own(), "p", &before, &wanted).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        let puts = requests.iter().filter(|one| one.method.as_str() == "PUT");
        let bodies: Vec<Value> = puts.map(|one| one.body_json().unwrap()).collect();
        assert_eq!(bodies, [json!({ "quota_set": { "cores": 20 } })]);
    }

    #[tokio::test]
    async fn limits_are_read_as_far_as_there_are_and_block_storage_need_not_be() {
        let (server, cloud) = mock::cloud().await;
        let answers = [
            (
                "/compute/os-quota-sets/p",
                json!({ "quota_set": { "cores": 20, "instances": -1 } }),
            ),
            (
                "/network/v2.0/quotas/p",
                json!({ "quota": { "router": 10, "port": 50 } }),
            ),
            (
                "/compute/limits",
                json!({ "limits": { "absolute": { "maxTotalCores": 20, "totalCoresUsed": 18,
                    "maxTotalInstances": -1, "totalInstancesUsed": 3 } } }),
            ),
            (
                "/network/v2.0/quotas/p/details.json",
                json!({ "quota": { "router": { "limit": 10, "used": 12 } } }),
            ),
            // Nova does not tell its own
            (
                "/network/v2.0/quotas/own/default",
                json!({ "quota": { "floatingip": 50 } }),
            ),
        ];
        for (at, body) in answers {
            let answer = ResponseTemplate::new(200).set_body_json(body);
            let mock = Mock::given(path(at)).respond_with(answer);
            mock.mount(&server).await;
        }
        let own = cloud.own();
        let limits = json!({ "cores": 20, "instances": -1, "routers": 10, "ports": 50 });
        assert_eq!(get(&own, "p").await.unwrap(), quota(limits));
        let left = json!({ "cores": 2, "routers": 0 });
        assert_eq!(free(&own, "p").await.unwrap(), quota(left));
        let new = json!({ "floating_ips": 50 });
        assert_eq!(defaults(&own).await.unwrap(), quota(new));
    }
}
