//! Planning: what the edge would refuse at apply, said before anything is made.

use mkys_edge_client::{Actor, EdgeClient, EdgeError, Refusal};
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path, Plan};
use uuid::Uuid;

use super::model::{self, Model};
use super::{Route, Targets, told};

impl Route {
    pub(super) async fn plan_change(&self, plan: &mut Plan<Self>) -> Result<(), Diagnostics> {
        let Some(planned) = &mut plan.planned else {
            return Ok(());
        };
        model::check(planned)?;
        // what is decided changes only when somebody decides, or when something changes
        let unchanged = plan.prior.as_ref().filter(|prior| prior.same_wish(planned));
        planned.decisions = unchanged.map_or(Attr::Unknown, |prior| prior.decisions.clone());
        let targets = match planned.blade.is_known() && planned.service.is_known() {
            true => planned.targets()?,
            false => Targets::new(),
        };
        let route = match &plan.prior {
            Some(prior) => Some(prior.id()?),
            None => plan.private,
        };
        plan.private = route;
        self.places.plan(planned, route)?;
        let Some(configured) = self.platform.get().filter(|_| unchanged.is_none()) else {
            return Ok(());
        };
        let edge = configured.edge()?;
        check_token(edge, plan.prior.is_some(), planned, &targets).await?;
        match plan.prior {
            Some(_) => Ok(()),
            None => check_place(edge, planned, route).await,
        }
    }
}

/// What the edge would not take from the token.
async fn check_token(
    edge: &EdgeClient,
    is_change: bool,
    planned: &Model,
    targets: &Targets,
) -> Result<(), Diagnostics> {
    let actor = match edge.token().await {
        // the refresh has just asked it, or was told not to
        Err(EdgeError::Unreachable { .. }) if is_change => return Ok(()),
        asked => asked.map_err(told)?,
    };
    check_rights(&actor, planned, targets)
}

/// What the token may not, in the words in which the edge refuses it.
fn check_rights(actor: &Actor, planned: &Model, targets: &Targets) -> Result<(), Diagnostics> {
    let refused = |field: Option<&str>| {
        let field = field.map(str::to_owned);
        move |error| {
            told(EdgeError::Forbidden {
                refusal: Refusal { error, field },
            })
        }
    };
    actor.check_asks().map_err(refused(None))?;
    let mut problems = Diagnostics::new();
    if let Some(blade) = planned.blade_name()
        && let Err(problem) = actor.check_blade(blade).map_err(refused(Some("blade")))
    {
        problems.extend(problem);
    }
    for target in targets.values() {
        if let Err(problem) = actor
            .check_target(*target)
            .map_err(refused(Some("targets")))
        {
            problems.extend(problem);
        }
    }
    problems.into_result()
}

/// Says that somebody has the host and path. A route that is going to be replaced does not count.
pub(super) async fn check_place(
    edge: &EdgeClient,
    planned: &Model,
    replaced: Option<Uuid>,
) -> Result<(), Diagnostics> {
    let Some((host, path)) = planned.place() else {
        return Ok(());
    };
    let routes = edge.routes().await.map_err(told)?;
    let taken = routes
        .iter()
        .find(|held| held.spec.host == host && held.spec.path == path)
        .filter(|held| Some(held.id) != replaced);
    // an unfinished one of the very same wish is taken over by the create
    let taken = taken.filter(|held| {
        let service = planned.service.as_str() == Some(held.spec.service.as_str());
        !(service && planned.blade_name() == Some(held.spec.blade.as_str()))
    });
    let Some(held) = taken else { return Ok(()) };
    let detail = format!(
        "Route {} of blade {:?}, asked for by {:?}, has {host}{path}. Choose another host or path.",
        held.id, held.spec.blade, held.requester
    );
    let problem = Diagnostic::error("The host and path are taken", detail);
    Err(problem.at(Path::root("path")).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::BTreeMap;

    use mkys_edge_client::{Audience, Settings};
    use serde_json::json;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::model::BladeModel;
    use super::*;

    fn planned() -> Model {
        Model {
            blade: Attr::Known(BladeModel {
                name: "pnr".into(),
                endpoints: Attr::Unknown,
            }),
            service: "site".into(),
            host: "pnr.example.org".into(),
            path: "/".into(),
            ..Model::default()
        }
    }

    fn targets(address: &str) -> Targets {
        BTreeMap::from([(Audience::Users, address.parse().unwrap())])
    }

    /// An edge that says this of the token.
    async fn edge(status: u16, token: serde_json::Value) -> (MockServer, EdgeClient) {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_json(token);
        let mock = Mock::given(path("/v1/token")).respond_with(answer);
        mock.mount(&server).await;
        let client = EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap();
        (server, client)
    }

    fn token(role: &str, blade: &str) -> serde_json::Value {
        json!({ "name": "pipeline", "role": role, "blades": [blade],
                "networks": ["198.51.100.0/25"] })
    }

    #[tokio::test]
    async fn what_the_token_may_not_is_said_at_its_attribute() {
        let inside = "198.51.100.20:80";
        let refusal = json!({ "error": "revoked" });
        let cases = [
            (200, token("requester", "pnr"), inside, ""),
            (200, token("requester", "*"), inside, ""),
            (401, refusal, inside, "the edge at http"),
            (
                200,
                token("requester", "other"),
                inside,
                "blade: the edge refuses it to this token: token \"pipeline\" does not speak for",
            ),
            (
                200,
                token("requester", "pnr"),
                "203.0.113.9:80",
                "blade: the edge refuses it to this token: 203.0.113.9:80 lies outside",
            ),
            (
                200,
                token("administrator", "pnr"),
                inside,
                "the edge refuses it to this token: an administrator's token decides",
            ),
        ];
        for (status, token, address, expected) in cases {
            let (_server, edge) = edge(status, token).await;
            for is_change in [false, true] {
                let asked = check_token(&edge, is_change, &planned(), &targets(address)).await;
                let said: Vec<_> = asked.err().into_iter().flatten().collect();
                assert_eq!(said.len(), usize::from(!expected.is_empty()), "{said:?}");
                for problem in said {
                    assert!(problem.to_string().starts_with(expected), "{problem}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_known_yet_is_left_to_the_apply() {
        let (_server, edge) = edge(200, token("requester", "other")).await;
        let mut unknown = planned();
        unknown.blade = Attr::Unknown;
        let asked = check_token(&edge, false, &unknown, &Targets::new()).await;
        assert_eq!(asked, Ok(()));
    }

    #[tokio::test]
    async fn a_change_is_planned_without_the_edge_and_a_creation_is_not() {
        let nobody = EdgeClient::new(&Settings::new("http://127.0.0.1:1", "mkys_x")).unwrap();
        assert_eq!(
            check_token(&nobody, true, &planned(), &Targets::new()).await,
            Ok(())
        );
        let asked = check_token(&nobody, false, &planned(), &Targets::new()).await;
        let said = asked.unwrap_err().iter().next().unwrap().to_string();
        assert!(said.contains("cannot be reached"), "{said}");
    }
}
