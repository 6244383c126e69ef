//! Routes with what was decided about them. What a change or a decision comes to is found in the transaction that
//! writes it, from what is there at that moment: nothing that somebody else did meanwhile is overwritten or overlooked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mkys_edge_client::{Access, AccessState, Actor, Audience, Route, RouteSpec, Wish};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::sessions::places_below;
use super::{Place, Store, StoreError, delegations, journal, number, parse};
use crate::policy::Denied;
use crate::warning::Warning;

/// Routes of a token that may wait for a decision at once.
const PENDING: u64 = 500;

/// A route that was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is now.
    pub route: Route,
    /// All places where something else is served now: its own, before and after, and those of its session routes.
    pub places: Vec<Place>,
}

impl Store {
    /// All routes that can be read.
    ///
    /// # Errors
    ///
    /// As each function here: [`StoreError`].
    pub async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        let accesses = sqlx::query("SELECT * FROM accesses").fetch_all(&self.pool);
        let accesses = accesses.await?;
        let rows = sqlx::query("SELECT * FROM routes ORDER BY host, path").fetch_all(&self.pool);
        let (routes, _) = readable(&rows.await?, accesses);
        Ok(routes)
    }

    /// A route.
    pub async fn route(&self, id: Uuid) -> Result<Option<Route>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        there(&mut connection, id).await
    }

    /// Writes a new route.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`], [`StoreError::MemoryFull`], [`StoreError::DiskFull`], [`StoreError::TooManyPending`].
    pub async fn insert(&self, route: &Route, now: Timestamp) -> Result<(), StoreError> {
        let (route, room) = (route.clone(), self.room.clone());
        self.writer.write(move |connection| Box::pin(async move {
                let RouteSpec {
                    blade,
                    service,
                    port,
                    host,
                    path,
                    ..
                } = &route.spec;
                let inserted = sqlx::query(
                    "INSERT INTO routes (id, blade, service, port, host, path, requester, people, created_at) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(route.id.to_string())
                .bind(blade)
                .bind(service)
                .bind(i64::from(*port))
                .bind(host)
                .bind(path)
                .bind(&route.requester)
                .bind(serde_json::json!(route.people).to_string())
                .bind(now.to_string())
                .execute(&mut *connection)
                .await;
                taken(connection, inserted, &route, now).await?;
                write_accesses(connection, &route).await?;
                check_pending(connection, &route.requester).await?;
                room.check_routes(connection).await?;
                journal(connection, now, &route.requester, "ask", &route, None, "").await
})).await
    }

    /// Writes what is made of a route. `None`: there is no such route.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`]; [`StoreError::Denied`] when nothing may be made of it.
    pub async fn change(
        &self,
        id: Uuid,
        by: &str,
        now: Timestamp,
        change: impl FnOnce(Route) -> Result<Route, Denied> + Send + 'static,
    ) -> Result<Option<Changed>, StoreError> {
        let (by, room) = (by.to_owned(), self.room.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let Some(before) = there(connection, id).await? else {
                        return Ok(None);
                    };
                    let place = Place::from(&before);
                    let route = change(before)?;
                    let moves = place != Place::from(&route);
                    let mut places = places_below(connection, id).await?;
                    places.extend([place, Place::from(&route)]);
                    delegations::end_if_other(connection, &route).await?;
                    write_spec(connection, &route, now).await?;
                    write_accesses(connection, &route).await?;
                    if moves {
                        room.check_routes(connection).await?;
                    }
                    journal(connection, now, &by, "change", &route, None, "").await?;
                    Ok(Some(Changed { route, places }))
                })
            })
            .await
    }

    /// Writes what is decided on a route for an audience. `None`: there is no such route.
    ///
    /// # Errors
    ///
    /// [`StoreError::Denied`] when it cannot be decided so.
    pub async fn decide(
        &self,
        id: Uuid,
        audience: Audience,
        by: &str,
        now: Timestamp,
        decide: impl FnOnce(&Route) -> Result<Access, Denied> + Send + 'static,
    ) -> Result<Option<Changed>, StoreError> {
        let by = by.to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let Some(mut route) = there(connection, id).await? else {
                        return Ok(None);
                    };
                    let access = decide(&route)?;
                    let mut places = vec![Place::from(&route)];
                    if route.decisions.get(&audience) != Some(&access) {
                        let (action, reason) = (access.state.as_str(), access.reason.clone());
                        route.decisions.insert(audience, access);
                        write_accesses(connection, &route).await?;
                        let (to, reason) = (Some(audience), reason.unwrap_or_default());
                        journal(connection, now, &by, action, &route, to, &reason).await?;
                        places.extend(places_below(connection, id).await?);
                    }
                    Ok(Some(Changed { route, places }))
                })
            })
            .await
    }

    /// Takes a route away, with its delegations. Gives the places where it and its session routes were served; `None`:
    /// there is no such route, or none of whose blade the actor may speak.
    pub async fn delete(
        &self,
        id: Uuid,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Vec<Place>>, StoreError> {
        let actor = actor.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let there = there(connection, id).await?;
                    let Some(route) = there.filter(|route| actor.speaks_for(&route.spec.blade))
                    else {
                        return Ok(None);
                    };
                    let mut places = places_below(connection, id).await?;
                    places.push(Place::from(&route));
                    sqlx::query("DELETE FROM routes WHERE id = ?")
                        .bind(id.to_string())
                        .execute(&mut *connection)
                        .await?;
                    journal(connection, now, &actor.name, "delete", &route, None, "").await?;
                    Ok(Some(places))
                })
            })
            .await
    }
}

/// A route as it is at the moment.
pub(super) async fn there(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<Route>, StoreError> {
    let id = id.to_string();
    let row = sqlx::query("SELECT * FROM routes WHERE id = ?").bind(&id);
    let Some(row) = row.fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    let accesses = sqlx::query("SELECT * FROM accesses WHERE route = ?").bind(&id);
    route(&row, &accesses.fetch_all(connection).await?).map(Some)
}

/// Says whose a place is that is not free: another route's, or a session route's.
async fn taken<T>(
    connection: &mut SqliteConnection,
    result: Result<T, sqlx::Error>,
    route: &Route,
    now: Timestamp,
) -> Result<(), StoreError> {
    let RouteSpec { host, path, .. } = &route.spec;
    let is_routes = match result {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => true,
        Err(error) => return Err(error.into()),
        Ok(_) => false,
    };
    let query = match is_routes {
        true => "SELECT blade FROM routes WHERE host = ? AND path = ? AND ? IS NOT NULL",
        false => {
            "SELECT r.blade FROM sessions s JOIN delegations d ON d.id = s.delegation \
             JOIN routes r ON r.id = d.route WHERE s.host = ? AND s.path = ? AND s.expires > ?"
        }
    };
    let blade = sqlx::query_scalar::<_, String>(query)
        .bind(host)
        .bind(path)
        .bind(now.as_millisecond())
        .fetch_optional(connection)
        .await?;
    match (is_routes, blade) {
        (false, None) => Ok(()),
        (_, blade) => Err(StoreError::Taken {
            host: host.clone(),
            path: path.clone(),
            blade,
        }),
    }
}

/// Writes the content that a route has now.
async fn write_spec(
    connection: &mut SqliteConnection,
    route: &Route,
    now: Timestamp,
) -> Result<(), StoreError> {
    let RouteSpec {
        blade,
        service,
        port,
        host,
        path,
        ..
    } = &route.spec;
    let updated = sqlx::query(
        "UPDATE routes SET blade = ?, service = ?, port = ?, host = ?, path = ?, people = ? WHERE id = ?",
    )
    .bind(blade)
    .bind(service)
    .bind(i64::from(*port))
    .bind(host)
    .bind(path)
    .bind(serde_json::json!(route.people).to_string())
    .bind(route.id.to_string())
    .execute(&mut *connection)
    .await;
    taken(connection, updated, route, now).await
}

async fn write_accesses(
    connection: &mut SqliteConnection,
    route: &Route,
) -> Result<(), StoreError> {
    let id = route.id.to_string();
    sqlx::query("DELETE FROM accesses WHERE route = ?")
        .bind(&id)
        .execute(&mut *connection)
        .await?;
    for (audience, wish) in &route.spec.access {
        let Some(access) = route.decisions.get(audience) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO accesses (route, audience, enabled, justification, description, target, state, \
             decided_by, reason, decided_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(audience.as_str())
        .bind(wish.enabled)
        .bind(&wish.justification)
        .bind(&wish.description)
        .bind(route.spec.targets.get(audience).map(ToString::to_string))
        .bind(access.state.as_str())
        .bind(&access.decided_by)
        .bind(&access.reason)
        .bind(access.decided_at.map(|at| at.to_string()))
        .bind(i64::try_from(access.revision).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) fn route(row: &SqliteRow, accesses: &[SqliteRow]) -> Result<Route, StoreError> {
    let id: String = row.try_get("id")?;
    let port: i64 = row.try_get("port")?;
    let mut spec = RouteSpec {
        blade: row.try_get("blade")?,
        service: row.try_get("service")?,
        port: u16::try_from(port).map_err(|_| StoreError::Corrupt(format!("port {port}")))?,
        host: row.try_get("host")?,
        path: row.try_get("path")?,
        targets: BTreeMap::new(),
        access: BTreeMap::new(),
    };
    let mut decisions = BTreeMap::new();
    for access in accesses {
        let audience: String = access.try_get("audience")?;
        let audience = Audience::ALL
            .into_iter()
            .find(|one| one.as_str() == audience);
        let audience = audience.ok_or_else(|| StoreError::Corrupt("an audience".to_owned()))?;
        let wish = Wish {
            enabled: access.try_get("enabled")?,
            justification: access.try_get("justification")?,
            description: access.try_get("description")?,
        };
        spec.access.insert(audience, wish);
        if let Some(target) = access.try_get::<Option<String>, _>("target")? {
            spec.targets.insert(audience, parse("a target", &target)?);
        }
        let state: String = access.try_get("state")?;
        let decided_at: Option<String> = access.try_get("decided_at")?;
        let decision = Access {
            state: state_of(&state)?,
            decided_by: access.try_get("decided_by")?,
            reason: access.try_get("reason")?,
            decided_at: decided_at.map(|at| parse("a time", &at)).transpose()?,
            revision: number(access.try_get("revision")?)?,
        };
        decisions.insert(audience, decision);
    }
    let people: String = row.try_get("people")?;
    Ok(Route {
        id: parse("an id", &id)?,
        spec,
        requester: row.try_get("requester")?,
        people: serde_json::from_str(&people)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?,
        decisions,
    })
}

/// Routes from their rows, with the number of those that cannot be read: one that is damaged is no reason to serve none.
pub(super) fn readable(rows: &[SqliteRow], accesses: Vec<SqliteRow>) -> (Vec<Route>, usize) {
    let mut of: BTreeMap<String, Vec<SqliteRow>> = BTreeMap::new();
    let mut unreadable = 0;
    let mut damaged = |what: &str, error: StoreError| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            what,
            "{}",
            Warning::Damaged
        );
        unreadable += 1;
    };
    for row in accesses {
        match row.try_get("route") {
            Ok(route) => of.entry(route).or_default().push(row),
            Err(error) => damaged("an access", error.into()),
        }
    }
    let mut routes = Vec::with_capacity(rows.len());
    for row in rows {
        let read = row.try_get("id").map_err(StoreError::from);
        let read = read.and_then(|id: String| route(row, &of.remove(&id).unwrap_or_default()));
        match read {
            Ok(route) => routes.push(route),
            Err(error) => damaged("a route", error),
        }
    }
    (routes, unreadable)
}

/// Checks that not too many routes of a token wait for a decision: administrators have to read them all.
async fn check_pending(
    connection: &mut SqliteConnection,
    requester: &str,
) -> Result<(), StoreError> {
    let pending = "SELECT count(DISTINCT a.route) FROM accesses a JOIN routes r ON r.id = a.route \
                   WHERE a.state = 'pending' AND r.requester = ?";
    let pending = sqlx::query_scalar(pending)
        .bind(requester)
        .fetch_one(connection);
    match number(pending.await?)? <= PENDING {
        true => Ok(()),
        false => Err(StoreError::TooManyPending(PENDING)),
    }
}

fn state_of(word: &str) -> Result<AccessState, StoreError> {
    let all = [
        AccessState::Pending,
        AccessState::Approved,
        AccessState::Refused,
        AccessState::Withdrawn,
    ];
    let state = all.into_iter().find(|state| state.as_str() == word);
    state.ok_or_else(|| StoreError::Corrupt(format!("state {word:?}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::policy::undecided;

    #[tokio::test]
    async fn who_decides_and_who_changes_see_what_the_other_did() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("edge.sqlite"))
            .await
            .unwrap();
        let wish = Wish {
            enabled: true,
            justification: "games".into(),
            description: String::new(),
        };
        let route = Route {
            id: Uuid::nil(),
            spec: RouteSpec {
                blade: "automathon".into(),
                service: "site".into(),
                port: 80,
                host: "games.example.org".into(),
                path: "/".into(),
                targets: Audience::ALL
                    .map(|one| (one, "198.51.100.20:80".parse().unwrap()))
                    .into(),
                access: Audience::ALL.map(|one| (one, wish.clone())).into(),
            },
            requester: "pipeline".into(),
            people: vec!["eve".into()],
            decisions: Audience::ALL
                .map(|one| (one, undecided(AccessState::Pending)))
                .into(),
        };
        let now = Timestamp::UNIX_EPOCH;
        store.insert(&route, now).await.unwrap();
        // all at once, and each writes the whole of the accesses
        let decide = |audience| {
            store.decide(route.id, audience, "ada", now, move |_| {
                Ok(undecided(AccessState::Approved))
            })
        };
        let moved = store.change(route.id, "pipeline", now, |mut route| {
            let target = "198.51.100.21:80".parse().unwrap();
            route.spec.targets.insert(Audience::Users, target);
            Ok(route)
        });
        let (users, devops, moved) =
            tokio::join!(decide(Audience::Users), decide(Audience::Devops), moved);
        for changed in [users, devops, moved] {
            assert_eq!(changed.unwrap().unwrap().route.id, route.id);
        }
        let after = store.route(route.id).await.unwrap().unwrap();
        for audience in Audience::ALL {
            assert_eq!(after.decisions[&audience].state, AccessState::Approved);
        }
        assert_eq!(
            after.spec.targets[&Audience::Users],
            "198.51.100.21:80".parse().unwrap()
        );

        let denied = store.decide(route.id, Audience::Users, "ada", now, |_| {
            let refusal = crate::policy::refusal(None, "no");
            Err(Denied::Conflict(refusal))
        });
        assert!(matches!(denied.await, Err(StoreError::Denied(_))));
        assert_eq!(store.route(route.id).await.unwrap().unwrap(), after);
    }
}
