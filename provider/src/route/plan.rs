//! Planning: what the edge would refuse at apply, said before anything is made.

use mkys_edge_client::{Actor, EdgeClient, EdgeError, Refusal, Route as Held, Vacancy};
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path, Plan};

use super::model::{self, Model};
use super::{Route, Targets, attribute, identity, told};
use crate::platform::NoEdge;

impl Route {
    pub(super) async fn plan_change(&self, plan: &mut Plan<Self>) -> Result<(), Diagnostics> {
        let Some(planned) = &mut plan.planned else {
            return Ok(());
        };
        model::check(planned)?;
        if let Some(prior) = &plan.prior {
            planned.keep_same(prior);
        }
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
        if matches!(configured.edge, Err(NoEdge::NotYetKnown)) {
            return Ok(());
        }
        let edge = configured.edge()?;
        check_token(edge, plan.prior.is_some(), planned, &targets).await?;
        if let Some(prior) = &plan.prior {
            identity::check(edge, prior, edge.edge())?;
        }
        if plan.prior.as_ref().and_then(Model::place) == planned.place() {
            return Ok(());
        }
        let is_change = plan.prior.is_some();
        let in_nobodys_way = |held: &Held| {
            Some(held.id) == route
                || self.places.leaves(held)
                // an unfinished one of the very same wish is taken over by the create
                || (!is_change && planned.is_wish_of(held))
        };
        check_place(edge, is_change, planned, in_nobodys_way).await
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

/// Says that somebody has the host and path, unless it is a route that is in nobody's way.
pub(super) async fn check_place(
    edge: &EdgeClient,
    is_change: bool,
    planned: &Model,
    in_nobodys_way: impl Fn(&Held) -> bool,
) -> Result<(), Diagnostics> {
    let Some((host, path)) = planned.place() else {
        return Ok(());
    };
    let vacancy = match edge.vacancy(&host, &path).await {
        // as for the token
        Err(EdgeError::Unreachable { .. }) if is_change => return Ok(()),
        asked => asked.map_err(told)?,
    };
    let Vacancy::Taken { refusal, route } = vacancy else {
        return Ok(());
    };
    let has = match route {
        Some(held) if in_nobodys_way(&held) => return Ok(()),
        Some(held) => format!(
            "Route {} of blade {:?}, asked for by {:?}, has {host}{path}",
            held.id, held.spec.blade, held.requester
        ),
        None => format!("The edge says: {}", refusal.error),
    };
    let at = refusal.field.as_deref().and_then(attribute);
    let detail = format!("{has}. Choose another host or path.");
    let problem = Diagnostic::error("The host and path are taken", detail);
    Err(problem.at(at.unwrap_or_else(|| Path::root("path"))).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::BTreeMap;

    use mkys_edge_client::{Audience, RouteSpec, Settings};
    use serde_json::json;
    use uuid::Uuid;
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::model::BladeModel;
    use super::*;
    use crate::platform::{Configured, Platform};

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

    /// What a plan says of a place of which the edge answers this.
    async fn said_of(vacancy: &Vacancy, in_nobodys_way: bool) -> String {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_json(vacancy);
        let mock = Mock::given(path("/v1/place"))
            .and(query_param("host", "pnr.example.org"))
            .and(query_param("path", "/"));
        mock.respond_with(answer).mount(&server).await;
        let edge = EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap();
        let checked = check_place(&edge, true, &planned(), |_| in_nobodys_way).await;
        checked.map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[tokio::test]
    async fn a_place_that_somebody_has_is_said_at_its_attribute() {
        let refusal = |field: &str| Refusal {
            error: "in the edge's words".into(),
            field: Some(field.into()),
        };
        let taken = |field: &str, route| Vacancy::Taken {
            refusal: refusal(field),
            route,
        };
        let held = Held {
            id: Uuid::from_u128(1),
            spec: RouteSpec {
                blade: "games".into(),
                service: "site".into(),
                port: 80,
                host: "pnr.example.org".into(),
                path: "/".into(),
                targets: BTreeMap::new(),
                access: BTreeMap::new(),
            },
            requester: "pipeline".into(),
            people: Vec::new(),
            decisions: BTreeMap::new(),
        };
        let seen = taken("path", Some(held.into()));
        assert_eq!(said_of(&Vacancy::Free, false).await, "");
        assert_eq!(said_of(&seen, true).await, "");
        let said = said_of(&seen, false).await;
        assert!(
            said.starts_with("path: The host and path are taken: Route 0"),
            "{said}"
        );
        assert!(
            said.contains("of blade \"games\", asked for by \"pipeline\""),
            "{said}"
        );
        // whose it is may be none of the token's business, and is nobody's where it is the portal's
        for field in ["path", "host"] {
            let said = said_of(&taken(field, None), true).await;
            let expected = format!(
                "{field}: The host and path are taken: The edge says: in the edge's words. "
            );
            assert!(said.starts_with(&expected), "{said}");
        }
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
        assert_eq!(
            check_place(&nobody, true, &planned(), |_| false).await,
            Ok(())
        );
        assert!(
            check_place(&nobody, false, &planned(), |_| false)
                .await
                .is_err()
        );
    }

    /// What a plan of a change from one place to another says, of an edge where both are taken.
    async fn changed(from: &str, to: &str) -> String {
        let server = MockServer::start().await;
        let refusal = Refusal {
            error: "taken".into(),
            field: Some("path".into()),
        };
        let taken = Vacancy::Taken {
            refusal,
            route: None,
        };
        for (at, body) in [
            ("/v1/token", token("requester", "pnr")),
            ("/v1/place", json!(taken)),
        ] {
            let answer = ResponseTemplate::new(200).set_body_json(body);
            Mock::given(path(at))
                .respond_with(answer)
                .mount(&server)
                .await;
        }
        let platform = Platform::default();
        platform.set(Configured {
            edge: Ok(EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap()),
            ..Configured::bare()
        });
        let at = |path: &str, service: &str| Model {
            id: Uuid::from_u128(1).to_string().into(),
            path: path.into(),
            service: service.into(),
            ..planned()
        };
        let (prior, planned) = (at(from, "site"), at(to, "admin"));
        let mut plan = Plan::new(Some(planned.clone()), Some(prior), Some(planned), None);
        let planned = Route::new(platform).plan_change(&mut plan).await;
        planned.map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[tokio::test]
    async fn a_route_that_moves_asks_whether_the_place_is_free() {
        assert_eq!(changed("/", "/").await, "");
        let said = changed("/", "/other").await;
        assert!(
            said.starts_with("path: The host and path are taken"),
            "{said}"
        );
    }
}
