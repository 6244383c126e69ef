//! The identity of a route's edge. A missing route is gone only if its own edge says so, to a token that would see it.

use mkys_edge_client::EdgeClient;
use mkys_plugin::{Diagnostics, Path};
use uuid::Uuid;

use super::model::Model;
use super::told;

/// Checks that the edge that answers is the one that a route of the state is at.
pub(super) fn check(
    edge: &EdgeClient,
    state: &Model,
    answers: Option<Uuid>,
) -> Result<(), Diagnostics> {
    let known = state.edge_id.as_str();
    let (Some(known), Some(answers)) = (known, answers) else {
        // one of the two is of a version that does not say
        return Ok(());
    };
    if known == answers.to_string() {
        return Ok(());
    }
    let id = state.id.as_str().unwrap_or_default();
    let url = edge.url();
    Err(Diagnostics::error(
        "The route is at another edge",
        format!(
            "By the state, route {id} is at edge {known}. The edge at {url} is {answers}, so what it has says nothing of that route, which \
             may serve on.\nNext: let `edge.url` of the provider's configuration, or MKYS_EDGE_URL, name the route's edge. If that edge is \
             gone for good, take the route out of the state (`state rm`)."
        ),
    ))
}

/// Checks that a route of the state is gone, where an edge says that it has none of its id.
pub(super) async fn check_gone(
    edge: &EdgeClient,
    state: &Model,
    answers: Option<Uuid>,
) -> Result<(), Diagnostics> {
    check(edge, state, answers)?;
    let Some(blade) = state.blade_name() else {
        return Ok(());
    };
    // to a token that may not see it, a route is as if it were not there
    let actor = edge.token().await.map_err(told)?;
    if let Err(reason) = actor.check_blade(blade) {
        let id = state.id.as_str().unwrap_or_default();
        let problem = format!(
            "{reason}, and the edge tells it of no such route: whether route {id} stands is not known.\nNext: use a token that speaks for \
             the blade."
        );
        let problem = mkys_plugin::Diagnostic::error("The token may not see the route", problem);
        return Err(problem.at(Path::root("blade")).into());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_edge_client::{EDGE_HEADER, EdgeError, Settings};
    use mkys_plugin::Attr;
    use serde_json::json;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::model::BladeModel;
    use super::*;

    const ROUTE: Uuid = Uuid::from_u128(1);
    const HOME: Uuid = Uuid::from_u128(10);
    const OTHER: Uuid = Uuid::from_u128(20);

    /// A route of blade `pnr` at an edge.
    fn state(edge: Option<Uuid>) -> Model {
        Model {
            id: ROUTE.to_string().into(),
            edge_id: edge.map(|edge| edge.to_string()).into(),
            blade: Attr::Known(BladeModel {
                name: "pnr".into(),
                endpoints: Attr::Unknown,
            }),
            ..Model::default()
        }
    }

    /// An edge that has no routes, asked by a token of a blade.
    async fn empty(id: Option<Uuid>, blade: &str) -> (MockServer, EdgeClient) {
        let server = MockServer::start().await;
        let said = |answer: ResponseTemplate| match id {
            Some(id) => answer.insert_header(EDGE_HEADER, id.to_string().as_str()),
            None => answer,
        };
        let refusal = json!({ "error": "there is no such route" });
        let missing = said(ResponseTemplate::new(404).set_body_json(refusal));
        for verb in ["GET", "DELETE"] {
            let mock = Mock::given(method(verb)).and(path(format!("/v1/routes/{ROUTE}")));
            mock.respond_with(missing.clone()).mount(&server).await;
        }
        let token =
            json!({ "name": "pipeline", "role": "requester", "blades": [blade], "networks": [] });
        let token = said(ResponseTemplate::new(200).set_body_json(token));
        Mock::given(path("/v1/token"))
            .respond_with(token)
            .mount(&server)
            .await;
        let client = EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap();
        (server, client)
    }

    /// Returns the message for a missing route, the same for a read and a deletion.
    async fn said(state: &Model, edge: &EdgeClient) -> String {
        let mut all = Vec::new();
        for error in [
            edge.route(ROUTE).await.map(drop).unwrap_err(),
            edge.delete_standing_route(ROUTE).await.unwrap_err(),
        ] {
            let EdgeError::NotFound { edge: answers, .. } = error else {
                panic!("{error}");
            };
            let checked = check_gone(edge, state, answers).await;
            all.push(checked.map_or_else(|error| error.to_string(), |()| "gone".into()));
        }
        assert_eq!(all[0], all[1]);
        all.remove(0)
    }

    #[tokio::test]
    async fn route_is_gone_at_its_own_edge_only() {
        let (_server, home) = empty(Some(HOME), "pnr").await;
        assert_eq!(said(&state(Some(HOME)), &home).await, "gone");
        let (server, other) = empty(Some(OTHER), "pnr").await;
        let said_of_other = said(&state(Some(HOME)), &other).await;
        for word in [HOME.to_string(), OTHER.to_string(), server.uri()] {
            assert!(said_of_other.contains(&word), "{said_of_other}");
        }
        // a state of before edges said which they are
        assert_eq!(said(&state(None), &other).await, "gone");
    }

    #[tokio::test]
    async fn blind_token_is_an_error() {
        let (_server, home) = empty(Some(HOME), "games").await;
        let error = said(&state(Some(HOME)), &home).await;
        assert!(error.contains("The token may not see the route"), "{error}");
        let (_server, home) = empty(Some(HOME), "*").await;
        assert_eq!(said(&state(Some(HOME)), &home).await, "gone");
    }
}
