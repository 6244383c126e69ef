//! Watches new servers while Heat waits for their readiness.
//!
//! Heat waits for a server's own sign to the limit, also for a server that was deleted or stopped meanwhile and can give none. What Nova
//! says of it ends the wait: it is told to the wait condition, whose failure Heat then handles as any other.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cloud::services::compute;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::{CloudError, Session};

/// How often Nova is asked: a boot takes seconds to minutes.
const INTERVAL: Duration = Duration::from_secs(3);

/// Looks at the servers among these resources (`server_NAME_RREVISION`) until the work that it accompanies ends. Never returns.
pub(super) async fn servers(session: &Session, stack: &Stack, resources: &BTreeSet<String>) -> ! {
    let mut signalled = BTreeSet::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        // what can't be asked now is asked again
        if let Err(error) = look(session, stack, resources, &mut signalled).await {
            tracing::debug!(%error, "new servers could not be looked at");
        }
    }
}

async fn look(
    session: &Session,
    stack: &Stack,
    resources: &BTreeSet<String>,
    signalled: &mut BTreeSet<String>,
) -> Result<(), CloudError> {
    let known = heat::resources(session, stack).await?;
    let is_under_way = |name: &str| {
        let mut known = known.iter();
        known.any(|one| one.resource_name == name && one.resource_status.ends_with("_IN_PROGRESS"))
    };
    for server in known
        .iter()
        .filter(|one| resources.contains(&one.resource_name))
    {
        let revision = server.resource_name.trim_start_matches("server_");
        let (ready, handle) = (format!("ready_{revision}"), format!("handle_{revision}"));
        let is_waited_for = server.is_complete() && is_under_way(&ready);
        if !is_waited_for || signalled.contains(&handle) {
            continue;
        }
        let found = compute::server(session, &server.physical_resource_id).await?;
        let Some(reason) = hopeless(found.as_ref().map(|one| &*one.status)) else {
            continue;
        };
        tracing::info!(
            server = server.physical_resource_id,
            reason,
            "Heat need not wait for it"
        );
        heat::signal_failure(session, stack, &handle, &reason).await?;
        signalled.insert(handle);
    }
    Ok(())
}

/// Why a server will give no sign; `None`: it may.
fn hopeless(status: Option<&str>) -> Option<String> {
    match status {
        None => Some("the server was deleted while it was built".to_owned()),
        Some(
            status @ ("SHUTOFF" | "ERROR" | "DELETED" | "SOFT_DELETED" | "PAUSED" | "SUSPENDED"
            | "SHELVED" | "SHELVED_OFFLOADED"),
        ) => Some(format!(
            "the server is {status} at Nova, and it was being waited for"
        )),
        Some(_) => None,
    }
}

/// Runs work, and looks at new servers meanwhile.
pub(super) async fn during<T>(
    session: &Session,
    stack: &Stack,
    resources: &BTreeSet<String>,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        done = work => done,
        never = servers(session, stack, resources) => never,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{method, path, path_regex};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    /// The reasons that a handle is told where Nova tells this of the server, looked at twice.
    async fn told(server: &str, ready: &str, nova: Option<&str>) -> Vec<String> {
        let (cloud, client) = mock::cloud().await;
        let resource = |name: &str, status: &str| json!({ "resource_name": name, "resource_type": "", "physical_resource_id": "u", "resource_status": status });
        let all = [
            resource("server_web_R2", server),
            resource("ready_web_R2", ready),
        ];
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "resources": all }));
        Mock::given(method("GET"))
            .and(path_regex("/resources$"))
            .respond_with(answer)
            .mount(&cloud)
            .await;
        let nova = match nova {
            Some(status) => ResponseTemplate::new(200)
                .set_body_json(json!({ "server": { "id": "u", "name": "web", "status": status } })),
            None => ResponseTemplate::new(404),
        };
        Mock::given(path("/compute/servers/u"))
            .respond_with(nova)
            .mount(&cloud)
            .await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&cloud)
            .await;
        let stack = json!({ "id": "1", "stack_name": "b", "stack_status": "UPDATE_IN_PROGRESS" });
        let stack: Stack = serde_json::from_value(stack).unwrap();
        let (new, mut signalled) = (
            BTreeSet::from(["server_web_R2".to_owned()]),
            BTreeSet::new(),
        );
        for _ in 0..2 {
            look(&client.own(), &stack, &new, &mut signalled)
                .await
                .unwrap();
        }
        let requests = cloud.received_requests().await.unwrap();
        let signals = requests
            .iter()
            .filter(|one| one.url.path().ends_with("/handle_web_R2/signal"));
        let reasons = signals.map(|one| {
            one.body_json::<serde_json::Value>().unwrap()["reason"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        reasons.collect()
    }

    #[tokio::test]
    async fn lost_server_ends_the_wait_once() {
        let waiting = "CREATE_IN_PROGRESS";
        let gone = told("CREATE_COMPLETE", waiting, None).await;
        assert_eq!(gone, ["the server was deleted while it was built"]);
        let off = told("CREATE_COMPLETE", waiting, Some("SHUTOFF")).await;
        assert_eq!(
            off,
            ["the server is SHUTOFF at Nova, and it was being waited for"]
        );
    }

    #[tokio::test]
    async fn booting_server_is_waited_for() {
        let waiting = "CREATE_IN_PROGRESS";
        assert_eq!(
            told("CREATE_COMPLETE", waiting, Some("ACTIVE")).await,
            [""; 0]
        );
        // Heat sees to it itself
        assert_eq!(told(waiting, "INIT_COMPLETE", None).await, [""; 0]);
        assert_eq!(
            told("CREATE_COMPLETE", "CREATE_COMPLETE", Some("SHUTOFF")).await,
            [""; 0]
        );
    }
}
