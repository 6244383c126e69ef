//! The API's answer to whether a route can be somewhere: a plan asks, before anything is made.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use mkys_edge_client::{Actor, PlaceQuery, Vacancy};

use super::App;
use super::error::Failure;
use crate::policy;
use crate::store::StoreError;

pub(super) fn router() -> Router<App> {
    Router::new().route("/v1/place", get(vacancy))
}

/// Any token may ask; whose a place is it is told only if it may see that blade's routes.
async fn vacancy(
    State(app): State<App>,
    actor: Actor,
    asked: Result<Query<PlaceQuery>, QueryRejection>,
) -> Result<Json<Vacancy>, Failure> {
    let asked = asked.map_err(|error| Failure::Malformed(error.body_text()))?;
    let Query(PlaceQuery { host, path, blade }) = asked;
    policy::check_place(&host, &path)?;
    if let Err(refusal) = policy::check_not_portal(&host, &app.portal_host) {
        let route = None;
        return Ok(Json(Vacancy::Taken { refusal, route }));
    }
    let Some(route) = app.store.occupant(&host, &path, app.clock.now()).await? else {
        let blades = app.store.blades_on(&host).await?;
        return Ok(Json(beside(&actor, &host, blade.as_deref(), &blades)));
    };
    let blade = Some(route.spec.blade.clone());
    let taken = StoreError::Taken { host, path, blade };
    let (_, refusal) = Failure::from(taken.told_to(&actor)).parts();
    let route = actor.speaks_for(&route.spec.blade).then(|| route.into());
    Ok(Json(Vacancy::Taken { refusal, route }))
}

/// What a free place is beside routes of some blades on its host: which of them are others is a matter of whose the new route would be.
fn beside(actor: &Actor, host: &str, blade: Option<&str>, blades: &[String]) -> Vacancy {
    let is_other = |one: &&String| match blade {
        Some(blade) => *one != blade,
        None => !actor.speaks_for(one),
    };
    let others = blades.iter().filter(is_other);
    let (known, hidden): (Vec<_>, Vec<_>) = others.partition(|one| actor.speaks_for(one));
    let mut names: Vec<_> = known.iter().map(|one| format!("blade {one:?}")).collect();
    if !hidden.is_empty() {
        names.push("another blade".to_owned());
    }
    match names.is_empty() {
        true => Vacancy::Free,
        false => Vacancy::Shared {
            notice: format!(
                "routes of {} are on {host} already, which is shown to whoever decides",
                names.join(", ")
            ),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use mkys_edge_client::{EdgeClient, EdgeError, Role, Route, RouteSpec, Settings};
    use uuid::Uuid;

    use super::*;

    const HOST: &str = "games.example.org";

    fn actor(blade: &str) -> Actor {
        Actor {
            name: format!("of-{blade}"),
            person: blade.to_owned(),
            role: Role::Requester,
            blades: vec![blade.to_owned()],
            networks: vec!["198.51.100.0/25".parse().unwrap()],
        }
    }

    fn spec() -> RouteSpec {
        RouteSpec {
            blade: "automathon".into(),
            service: "site".into(),
            port: 80,
            host: HOST.into(),
            path: "/play".into(),
            targets: BTreeMap::new(),
            access: BTreeMap::new(),
        }
    }

    #[test]
    fn shared_hosts_are_told_by_the_blade_asked_for() {
        let all = Actor {
            blades: vec!["*".into()],
            ..actor("automathon")
        };
        let blades = ["automathon".to_owned(), "pnr".to_owned()];
        let notice =
            |actor: &Actor, blade, blades: &[String]| match beside(actor, HOST, blade, blades) {
                Vacancy::Shared { notice } => notice,
                other => format!("{other:?}"),
            };
        assert_eq!(notice(&all, None, &blades), "Free");
        assert_eq!(notice(&all, Some("pnr"), &blades[1..]), "Free");
        assert_eq!(notice(&all, Some("pnr"), &[]), "Free");
        let told = notice(&all, Some("pnr"), &blades);
        assert!(
            told.starts_with("routes of blade \"automathon\" are on"),
            "{told}"
        );
        let told = notice(&actor("pnr"), Some("other"), &blades);
        assert!(
            told.starts_with("routes of blade \"pnr\", another blade are"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_place_is_told_taken_to_all_and_whose_it_is_to_who_may_know() {
        let folder = tempfile::tempdir().unwrap();
        let (store, url) = App::served(folder.path()).await;
        let now = Timestamp::UNIX_EPOCH;
        for blade in ["automathon", "pnr"] {
            let token = format!("mkys_{blade}");
            store
                .add_token(&actor(blade), &token, "", now)
                .await
                .unwrap();
        }
        let route = Route {
            id: Uuid::from_u128(1),
            spec: spec(),
            requester: "of-automathon".into(),
            people: Vec::new(),
            decisions: BTreeMap::new(),
        };
        store.insert(&route, now).await.unwrap();
        let edge =
            |blade: &str| EdgeClient::new(&Settings::new(&url, format!("mkys_{blade}"))).unwrap();
        let said = async |blade: &str, host: &str, path: &str| match edge(blade)
            .vacancy(host, path)
            .await
            .unwrap()
        {
            Vacancy::Free => "free".to_owned(),
            Vacancy::Shared { notice } => notice,
            Vacancy::Taken { refusal, route } => {
                let field = refusal.field.unwrap_or_default();
                let route = route.map_or(0, |route| route.id.as_u128());
                format!("{field}: {} ({route})", refusal.error)
            }
        };
        let own = "path: games.example.org/play is taken by a route of blade \"automathon\" (1)";
        let other = "path: games.example.org/play is taken by a route of another blade (0)";
        assert_eq!(said("automathon", HOST, "/play").await, own);
        assert_eq!(said("pnr", HOST, "/play").await, other);
        let shared = "routes of another blade are on games.example.org already, which is shown to whoever decides";
        for path in ["/", "/play/a"] {
            assert_eq!(said("automathon", HOST, path).await, "free", "{path}");
            assert_eq!(said("pnr", HOST, path).await, shared, "{path}");
        }
        assert_eq!(said("pnr", "pnr.example.org", "/play").await, "free");
        let portal = "host: \"portal\" is the portal itself (0)";
        assert_eq!(said("pnr", "portal", "/").await, portal);

        // the refusal of a request says no more
        let wish = RouteSpec {
            blade: "pnr".into(),
            access: BTreeMap::from([(
                mkys_edge_client::Audience::Users,
                mkys_edge_client::Wish {
                    enabled: false,
                    justification: String::new(),
                    description: String::new(),
                },
            )]),
            ..spec()
        };
        let refused = edge("pnr").create_route(&wish).await.unwrap_err();
        let EdgeError::Conflict { refusal } = refused else {
            panic!("{refused}");
        };
        assert_eq!(format!("path: {} (0)", refusal.error), other);

        let nobody = edge("nobody").vacancy(HOST, "/").await;
        assert!(matches!(nobody, Err(EdgeError::Token { .. })), "{nobody:?}");
        let no_place = edge("pnr").vacancy("a b", "/").await;
        assert!(
            matches!(no_place, Err(EdgeError::Invalid { .. })),
            "{no_place:?}"
        );
    }
}
