//! Which servers of a blade serve, as Nova tells: Heat's word is of when it last looked.

use std::collections::BTreeMap;

use mkys_blade::{Compiled, PartName, Revision};

use crate::cloud::services::compute;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::{CloudError, Session};

/// The status of a server that serves.
const SERVES: &str = "ACTIVE";

/// A server that stood before an update.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    name: String,
    revision: String,
    /// Its id; empty: it has none.
    id: String,
    /// Whether it is the one that stood before.
    is_same: bool,
    /// Nova's word; `None`: Nova has no such server; or why it is not known.
    status: Result<Option<String>, String>,
}

/// The servers of the version before, after an update that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Serving(Vec<Standing>);

impl Serving {
    /// Asks Nova; `revisions` and `ids` are those that stood before.
    pub(super) async fn look(
        session: &Session,
        stack: &Stack,
        revisions: &BTreeMap<String, Revision>,
        ids: &BTreeMap<PartName, String>,
    ) -> Self {
        // without Heat the servers before can be asked about all the same
        let now = heat::outputs(session, stack).await.ok().flatten();
        let mut all = Vec::new();
        for (name, revision) in revisions {
            let part = PartName::try_from(name.as_str()).ok();
            let before = part.as_ref().and_then(|name| ids.get(name));
            let before = before.map(String::as_str);
            let output = part.as_ref().map(Compiled::server_output);
            let id = output.and_then(|name| now.as_ref()?.output(&name).map(str::to_owned));
            let id = id.or_else(|| before.map(str::to_owned)).unwrap_or_default();
            let status = match id.as_str() {
                "" => Ok(None),
                id => status(session, id).await.map_err(|error| error.told()),
            };
            all.push(Standing {
                name: name.clone(),
                revision: revision.to_string(),
                is_same: before == Some(&id),
                id,
                status,
            });
        }
        Self(all)
    }

    /// Whether all of them serve.
    pub(super) fn is_whole(&self) -> bool {
        self.0.iter().all(Standing::serves)
    }

    /// What is there, in words, each line with the line break before it. Of those that serve, the ones that were to be replaced.
    pub(super) fn said(&self, was_to_go: impl Fn(&str) -> bool) -> String {
        let (serve, rest): (Vec<_>, Vec<_>) = self.0.iter().partition(|one| one.serves());
        let serve = serve.into_iter().filter(|one| was_to_go(&one.name));
        let serve: Vec<_> = serve.map(Standing::said).collect();
        let rest: Vec<_> = rest.into_iter().map(Standing::said).collect();
        let mut said = String::new();
        for (label, servers) in [("Serving", serve), ("Not serving", rest)] {
            if !servers.is_empty() {
                said.push_str(&format!("\n{label}: {}.", servers.join("; ")));
            }
        }
        said
    }
}

impl Standing {
    fn serves(&self) -> bool {
        matches!(&self.status, Ok(Some(status)) if status == SERVES)
    }

    fn said(&self) -> String {
        let (name, id, revision) = (&self.name, &self.id, &self.revision);
        let same = match (self.is_same, self.serves()) {
            (true, true) => ", the same server, never stopped",
            (true, false) => ", the same server",
            (false, _) => "",
        };
        match &self.status {
            Ok(Some(status)) => {
                format!("server {name:?} is {id} ({status}), revision {revision}{same}")
            }
            Ok(None) => format!("server {name:?} ({id}), revision {revision}, is gone"),
            Err(why) => {
                format!(
                    "server {name:?} ({id}), revision {revision}, could not be looked at: {why}"
                )
            }
        }
    }
}

/// Nova's word for a server; `None`: it has none.
async fn status(session: &Session, id: &str) -> Result<Option<String>, CloudError> {
    Ok(compute::server(session, id)
        .await?
        .map(|server| server.status))
}

/// Why not all of these new revisions can take over, in words: what Heat says of their servers and their readiness, and Nova of the servers
/// now. Between Heat's word and the traffic's move a guest may have stopped.
pub(super) async fn unfit<'a>(
    session: &Session,
    stack: &Stack,
    revisions: impl Iterator<Item = (&'a PartName, &'a Revision)>,
) -> Result<Vec<String>, CloudError> {
    let resources = heat::resources(session, stack).await?;
    let of = |kind: &str, name: &PartName, revision: &Revision| {
        let wanted = format!("{kind}_{name}_R{revision}");
        resources
            .iter()
            .find(move |one| one.resource_name == wanted)
    };
    let mut said = Vec::new();
    for (name, revision) in revisions {
        let part = name.as_ref();
        if let Some(ready) = of("ready", name, revision).filter(|one| !one.is_complete()) {
            let status = &ready.resource_status;
            said.push(format!(
                "server {part:?}: its readiness is {status} at Heat"
            ));
        }
        let server = of("server", name, revision).filter(|one| one.is_complete());
        let status = match server {
            Some(server) => status(session, &server.physical_resource_id).await?,
            None => None,
        };
        if status.as_deref() != Some(SERVES) {
            let status = status.unwrap_or_else(|| "gone".to_owned());
            said.push(format!(
                "server {part:?}: its new revision {revision} was built and is {status} now"
            ));
        }
    }
    Ok(said)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};
    use wiremock::matchers::{path, path_regex};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    fn standing(status: Result<Option<&str>, &str>, is_same: bool) -> Standing {
        Standing {
            name: "web".into(),
            revision: "1".into(),
            id: "u".into(),
            is_same,
            status: status
                .map(|status| status.map(str::to_owned))
                .map_err(str::to_owned),
        }
    }

    #[test]
    fn only_what_is_active_is_said_to_serve() {
        let cases = [
            (
                standing(Ok(Some("ACTIVE")), true),
                true,
                "\nServing: server \"web\" is u (ACTIVE), revision 1, the same server, never stopped.",
            ),
            (
                standing(Ok(Some("ACTIVE")), false),
                true,
                "\nServing: server \"web\" is u (ACTIVE), revision 1.",
            ),
            (
                standing(Ok(Some("SHUTOFF")), true),
                false,
                "\nNot serving: server \"web\" is u (SHUTOFF), revision 1, the same server.",
            ),
            (
                standing(Ok(None), true),
                false,
                "\nNot serving: server \"web\" (u), revision 1, is gone.",
            ),
            (
                standing(Err("Nova answers 503"), true),
                false,
                "\nNot serving: server \"web\" (u), revision 1, could not be looked at: Nova answers 503.",
            ),
        ];
        for (one, is_whole, said) in cases {
            let serving = Serving(vec![one]);
            assert_eq!(
                (serving.is_whole(), &*serving.said(|_| true)),
                (is_whole, said)
            );
        }
        let other = Serving(vec![standing(Ok(Some("ACTIVE")), true)]);
        assert_eq!(other.said(|_| false), "");
    }

    /// Why the new revision 2 of `web` cannot take over, where Heat and Nova tell this.
    async fn told(ready: &str, server: Option<&str>) -> Vec<String> {
        let (cloud, session) = mock::cloud().await;
        let resource = |name: &str, kind: &str, status: &str| json!({ "resource_name": name, "resource_type": kind, "physical_resource_id": "u", "resource_status": status });
        let resources = [
            resource("server_web_R2", "OS::Nova::Server", "CREATE_COMPLETE"),
            resource("ready_web_R2", "OS::Heat::WaitCondition", ready),
        ];
        let answer = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        let at = Mock::given(path_regex("/resources$"));
        let heat = at.respond_with(answer(json!({ "resources": resources })));
        heat.mount(&cloud).await;
        let at = Mock::given(path("/compute/servers/u"));
        let nova = at.respond_with(match server {
            Some(status) => {
                answer(json!({ "server": { "id": "u", "name": "web", "status": status } }))
            }
            None => ResponseTemplate::new(404),
        });
        nova.mount(&cloud).await;
        let stack = json!({ "id": "1", "stack_name": "b", "stack_status": "UPDATE_COMPLETE" });
        let stack: Stack = serde_json::from_value(stack).unwrap();
        let (name, revision) = ("web".try_into().unwrap(), Revision::from("2".to_owned()));
        let new = [(&name, &revision)].into_iter();
        unfit(&session.own(), &stack, new).await.unwrap()
    }

    #[tokio::test]
    async fn no_traffic_moves_to_a_server_that_was_ready_and_is_not_there_now() {
        let none: [&str; 0] = [];
        assert_eq!(told("CREATE_COMPLETE", Some("ACTIVE")).await, none);
        let stopped = "server \"web\": its new revision 2 was built and is SHUTOFF now";
        assert_eq!(told("CREATE_COMPLETE", Some("SHUTOFF")).await, [stopped]);
        let gone = "server \"web\": its new revision 2 was built and is gone now";
        assert_eq!(told("CREATE_COMPLETE", None).await, [gone]);
        let silent = "server \"web\": its readiness is CREATE_FAILED at Heat";
        assert_eq!(told("CREATE_FAILED", Some("ACTIVE")).await, [silent]);
    }
}
