//! Waiting until the floating IPs of a blade lead to its servers.
//!
//! Heat is done with a floating IP once Neutron has written down whose it is. That packets find their way is the work of an agent, or of
//! another backend, which takes seconds on a busy cloud and is told by the floating IP's status. A blade is reported as done after that:
//! else its first visitors wait in vain.

use std::collections::BTreeSet;
use std::time::Duration;

use mkys_blade::{Blade as Definition, Compiled};
use mkys_plugin::{Context, Diagnostic};
use tokio::time::Instant;

use super::waiting::{GaveUp, Patience};
use crate::cloud::Session;
use crate::cloud::services::heat::Stack;
use crate::cloud::services::network::{self, FloatingIp};

/// Agents need a second, and 15 were seen on a machine at its limits. A backend that never tells must not hold up a blade that is whole.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for those of `stack`, with its outputs. The blade is whole whatever comes of it: what does not lead anywhere yet is warned of.
pub(super) async fn wait(
    session: &Session,
    project: &str,
    blade: &Definition,
    stack: &Stack,
    deadline: Instant,
    cx: &Context,
) {
    let wanted = addresses(blade, stack);
    if wanted.is_empty() {
        return;
    }
    let patience = Patience::new(deadline.min(Instant::now() + LIMIT), cx);
    match all_lead(session, project, &wanted, patience).await {
        Ok(()) | Err(GaveUp::Cancelled) => {}
        Err(gave_up) => {
            let detail = format!(
                "{gave_up}. Nobody gets an answer there until Neutron's L3 agent, or what stands in its place, has done its work. Everything \
                 else of blade {} is as wanted; `openstack floating ip show ADDRESS` tells when it is ACTIVE.",
                blade.name
            );
            cx.warn(Diagnostic::warning(
                "Floating IPs do not lead to their servers yet",
                detail,
            ));
        }
    }
}

fn addresses<'a>(blade: &Definition, stack: &'a Stack) -> BTreeSet<&'a str> {
    let services = blade.services.values();
    let outputs = services.flat_map(|service| {
        let of = |audience: &_| Compiled::floating_ip_output(&service.server, *audience);
        service.audiences.iter().map(of)
    });
    outputs.filter_map(|output| stack.output(&output)).collect()
}

async fn all_lead(
    session: &Session,
    project: &str,
    wanted: &BTreeSet<&str>,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    loop {
        let all = network::floating_ips(session, project).await?;
        let late: Vec<_> = all.iter().filter(|one| is_late(one, wanted)).collect();
        if late.is_empty() {
            return Ok(());
        }
        let tell = || {
            let told = late
                .iter()
                .map(|one| format!("{} is {}", one.address, one.status));
            format!("Neutron says {}", told.collect::<Vec<_>>().join(", "))
        };
        if late.iter().any(|one| one.status == "ERROR") {
            return Err(GaveUp::Stuck(tell()));
        }
        patience.pause(tell).await?;
    }
}

fn is_late(one: &FloatingIp, wanted: &BTreeSet<&str>) -> bool {
    wanted.contains(one.address.as_str()) && one.port.is_some() && one.status != "ACTIVE"
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    fn told(address: &str, port: Option<&str>, status: &str) -> Value {
        json!({ "floating_ip_address": address, "port_id": port, "status": status })
    }

    /// Waits at a Neutron that tells this, one after the other; how often it was asked, and what came of it.
    async fn waits(seconds: u64, answers: &[Value]) -> (usize, Result<(), GaveUp>) {
        let (neutron, cloud) = mock::cloud().await;
        for (index, answer) in answers.iter().enumerate() {
            let body = ResponseTemplate::new(200).set_body_json(json!({ "floatingips": answer }));
            let at = Mock::given(path("/network/v2.0/floatingips"));
            let mut mock = at.and(query_param("project_id", "p")).respond_with(body);
            if index + 1 < answers.len() {
                mock = mock.up_to_n_times(1);
            }
            mock.mount(&neutron).await;
        }
        let cx = Context::detached();
        let patience = Patience::new(Instant::now() + Duration::from_secs(seconds), &cx);
        let wanted = BTreeSet::from(["198.51.100.9"]);
        let ended = all_lead(&cloud.own(), "p", &wanted, patience).await;
        (mock::asked(&neutron).await.len(), ended)
    }

    #[tokio::test]
    async fn it_is_waited_until_neutrons_agent_has_done_its_work() {
        let down = json!([told("198.51.100.9", Some("1"), "DOWN")]);
        let active = json!([told("198.51.100.9", Some("1"), "ACTIVE")]);
        let (times, ended) = waits(60, &[down.clone(), down, active]).await;
        assert_eq!((times, ended.is_ok()), (3, true));
    }

    #[tokio::test]
    async fn those_of_others_and_those_that_lead_nowhere_are_not_waited_for() {
        let others = told("198.51.100.8", Some("1"), "DOWN");
        let free = told("198.51.100.9", None, "DOWN");
        let (times, ended) = waits(60, &[json!([others, free])]).await;
        assert_eq!((times, ended.is_ok()), (1, true));
    }

    #[tokio::test]
    async fn an_agent_that_failed_or_is_silent_is_not_waited_for_without_end() {
        let tell = async |seconds, status| {
            let answer = json!([told("198.51.100.9", Some("1"), status)]);
            let (_, ended) = waits(seconds, &[answer]).await;
            ended.unwrap_err().to_string()
        };
        assert_eq!(
            tell(60, "ERROR").await,
            "Neutron says 198.51.100.9 is ERROR"
        );
        let late = "the time is up and Neutron says 198.51.100.9 is DOWN";
        assert_eq!(tell(0, "DOWN").await, late);
    }
}
