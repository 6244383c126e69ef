//! Session routes: leases below a delegated prefix.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use mkys_edge_client::{Renewed, Session, SessionSpec};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::{Holder, Place, Store, StoreError, claim, parse};

/// Session routes that have ended.
#[derive(Clone, Debug, Default)]
pub struct Lapsed {
    /// Their ids.
    pub ids: Vec<Uuid>,
    /// Where they were served.
    pub places: Vec<Place>,
}

impl Store {
    /// Writes a session route that was checked already, and gives it as it is now, with the places that this
    /// touches.
    ///
    /// # Errors
    ///
    /// [`StoreError::SessionTaken`], [`StoreError::Limit`], [`StoreError::Ended`], [`StoreError::MemoryFull`],
    /// [`StoreError::DiskFull`]; and as each function here: [`StoreError`].
    pub async fn put_session(
        &self,
        holder: &Holder,
        name: &str,
        spec: &SessionSpec,
        now: Timestamp,
    ) -> Result<(Session, Vec<Place>), StoreError> {
        let (holder, room) = (holder.clone(), self.room.clone());
        // as it will be read again
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let mut wanted = Session {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            host: holder.delegation.host.clone(),
            path: spec.path.clone(),
            target: spec.target,
            ttl_s: spec.ttl_s,
            created_at: now,
            expires_at: now + i64::from(spec.ttl_s).seconds(),
        };
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    claim::free(connection, &holder, &wanted, now).await?;
                    let mut places = vec![place(&wanted)];
                    let mut moves = true;
                    match claim::before(connection, &holder, &wanted.name).await? {
                        Some(before) => {
                            moves = before.path != wanted.path;
                            places.push(place(&before));
                            (wanted.id, wanted.created_at) = (before.id, before.created_at);
                        }
                        None => claim::room(connection, &holder, now).await?,
                    }
                    claim::write(connection, &holder, &wanted).await?;
                    if moves {
                        room.check_sessions(connection).await?;
                    }
                    Ok((wanted, places))
                })
            })
            .await
    }

    /// Gives session routes their whole time again. Those that have lapsed stay so.
    pub async fn renew_sessions(
        &self,
        holder: &Holder,
        names: Vec<String>,
        now: Timestamp,
    ) -> Result<(Renewed, Vec<Place>), StoreError> {
        let id = holder.id.to_string();
        self.writer.write(move |connection| Box::pin(async move {
                let rows = sqlx::query(
                    "UPDATE sessions SET expires = ? + 1000 * ttl_s WHERE delegation = ? AND expires > ? \
                     AND name IN (SELECT value FROM json_each(?)) RETURNING name, host, path",
                )
                .bind(now.as_millisecond())
                .bind(id)
                .bind(now.as_millisecond())
                .bind(serde_json::json!(names).to_string())
                .fetch_all(connection)
                .await?;
                let mut renewed: BTreeSet<String> = BTreeSet::new();
                for row in &rows {
                    renewed.insert(row.try_get("name")?);
                }
                let mut unknown = names;
                unknown.retain(|name| !renewed.contains(name));
                let renewed = renewed.into_iter().collect();
                Ok((Renewed { renewed, unknown }, places(&rows)?))
})).await
    }

    /// Takes a session route away; gives it if there was one.
    pub async fn delete_session(&self, holder: &Holder, name: &str) -> Result<Lapsed, StoreError> {
        let (id, name) = (holder.id.to_string(), name.to_owned());
        self.writer.write(move |connection| Box::pin(async move {
                let rows = sqlx::query(
                    "DELETE FROM sessions WHERE delegation = ? AND name = ? RETURNING id, host, path",
                );
                lapsed(&rows.bind(id).bind(name).fetch_all(connection).await?)
})).await
    }

    /// Lets no session route last longer than a renewal would give it: the clock may have been set back while nobody looked.
    pub async fn bound_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.as_millisecond();
        let bound =
            "UPDATE sessions SET expires = ?1 + 1000 * ttl_s WHERE expires > ?1 + 1000 * ttl_s";
        sqlx::query(bound).bind(now).execute(&self.pool).await?;
        Ok(())
    }

    /// Deletes the session routes that have lapsed.
    pub async fn reap_sessions(&self, now: Timestamp) -> Result<Lapsed, StoreError> {
        let now = now.as_millisecond();
        // most of the time there is none, and a transaction would wait for the disk
        let some: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sessions WHERE expires <= ?)")
                .bind(now)
                .fetch_one(&self.pool)
                .await?;
        if !some {
            return Ok(Lapsed::default());
        }
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let rows = "DELETE FROM sessions WHERE expires <= ? RETURNING id, host, path";
                    lapsed(&sqlx::query(rows).bind(now).fetch_all(connection).await?)
                })
            })
            .await
    }

    /// A holder's session routes that have not lapsed: all, or the one of a name.
    pub async fn sessions(
        &self,
        holder: &Holder,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sessions WHERE delegation = ? AND expires > ? AND name = coalesce(?, name) \
             ORDER BY name",
        )
        .bind(holder.id.to_string())
        .bind(now.as_millisecond())
        .bind(name)
        .fetch_all(&self.pool);
        rows.await?.iter().map(session).collect()
    }
}

/// The places of all session routes that a route's delegations hold.
pub(super) async fn places_below(
    connection: &mut SqliteConnection,
    route: Uuid,
) -> Result<Vec<Place>, StoreError> {
    let rows = sqlx::query(
        "SELECT host, path FROM sessions WHERE delegation IN (SELECT id FROM delegations WHERE route = ?)",
    )
    .bind(route.to_string())
    .fetch_all(connection);
    places(&rows.await?)
}

fn place(session: &Session) -> Place {
    Place {
        host: session.host.clone(),
        path: session.path.clone(),
    }
}

fn places(rows: &[SqliteRow]) -> Result<Vec<Place>, StoreError> {
    let places = rows.iter().map(|row| {
        Ok(Place {
            host: row.try_get("host")?,
            path: row.try_get("path")?,
        })
    });
    places.collect()
}

fn lapsed(rows: &[SqliteRow]) -> Result<Lapsed, StoreError> {
    let ids = rows.iter().map(|row| {
        let id: String = row.try_get("id")?;
        parse("an id", &id)
    });
    Ok(Lapsed {
        ids: ids.collect::<Result<_, StoreError>>()?,
        places: places(rows)?,
    })
}

/// A session route from its row.
pub(super) fn session(row: &SqliteRow) -> Result<Session, StoreError> {
    let (id, target): (String, String) = (row.try_get("id")?, row.try_get("target")?);
    let ttl: i64 = row.try_get("ttl_s")?;
    let time = |column| -> Result<Timestamp, StoreError> {
        let time: i64 = row.try_get(column)?;
        Timestamp::from_millisecond(time).map_err(|_| StoreError::Corrupt(format!("time {time}")))
    };
    Ok(Session {
        id: parse("an id", &id)?,
        name: row.try_get("name")?,
        host: row.try_get("host")?,
        path: row.try_get("path")?,
        target: parse("a target", &target)?,
        ttl_s: u32::try_from(ttl).map_err(|_| StoreError::Corrupt(format!("ttl {ttl}")))?,
        created_at: time("created")?,
        expires_at: time("expires")?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_edge_client::{Audience, Delegation, Route, RouteSpec};

    use super::*;

    const HOST: &str = "games.example.org";

    /// A store with a delegated route, and its holder.
    async fn delegated(folder: &tempfile::TempDir) -> (Store, Holder) {
        let store = Store::open(&folder.path().join("edge.sqlite"))
            .await
            .unwrap();
        let route = Route {
            id: Uuid::nil(),
            spec: RouteSpec {
                blade: "automathon".into(),
                service: "site".into(),
                port: 80,
                host: HOST.into(),
                path: "/play".into(),
                targets: Default::default(),
                access: Default::default(),
            },
            requester: "pipeline".into(),
            people: Vec::new(),
            decisions: Default::default(),
        };
        let delegation = Delegation {
            route: route.id,
            holder: "runner".into(),
            host: HOST.into(),
            prefix: "/play".into(),
            audiences: vec![Audience::Users],
            networks: Vec::new(),
            limit: 2,
            created_by: "ada".into(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        store.insert(&route, at(0)).await.unwrap();
        let added = store.delegate(route.id, "mkys_x", |_| Ok(delegation));
        added.await.unwrap().unwrap();
        (
            store.clone(),
            store.holder("mkys_x").await.unwrap().unwrap(),
        )
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn spec(name: &str) -> SessionSpec {
        SessionSpec {
            path: format!("/play/{name}"),
            target: "10.88.0.5:8080".parse().unwrap(),
            ttl_s: 60,
        }
    }

    #[tokio::test]
    async fn a_lease_ends_with_its_last_millisecond() {
        let folder = tempfile::tempdir().unwrap();
        let (store, holder) = delegated(&folder).await;
        let put = store.put_session(&holder, "g", &spec("g"), at(0)).await;
        let (put, places) = put.unwrap();
        assert_eq!(put.expires_at, at(60_000));
        assert_eq!(places[0].path, "/play/g");
        // renewed when, known then
        for (now, renewed) in [(59_999, true), (119_998, true), (179_998, false)] {
            let names = vec!["g".to_owned(), "unknown".to_owned()];
            let (answer, places) = store.renew_sessions(&holder, names, at(now)).await.unwrap();
            assert_eq!(answer.renewed.len(), usize::from(renewed), "{now}");
            assert_eq!(answer.unknown.len(), 2 - usize::from(renewed), "{now}");
            assert_eq!(places.len(), usize::from(renewed), "{now}");
            let known = store.sessions(&holder, Some("g"), at(now)).await.unwrap();
            assert_eq!(known.len(), usize::from(renewed), "{now}");
            let served = store.serving(at(now)).await.unwrap();
            assert_eq!(served.sessions.len(), usize::from(renewed), "{now}");
        }
        assert!(
            store
                .reap_sessions(at(179_997))
                .await
                .unwrap()
                .ids
                .is_empty()
        );
        let reaped = store.reap_sessions(at(179_998)).await.unwrap();
        assert_eq!((reaped.ids, reaped.places.len()), (vec![put.id], 1));
    }

    #[tokio::test]
    async fn what_has_lapsed_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let (store, holder) = delegated(&folder).await;
        let put = |name: &'static str, place: &'static str, now| {
            let (store, holder) = (store.clone(), holder.clone());
            async move {
                let put = store
                    .put_session(&holder, name, &spec(place), at(now))
                    .await;
                put.map(|(session, _)| session)
            }
        };
        let first = put("a", "a", 0).await.unwrap();
        put("b", "b", 1_000).await.unwrap();
        let refused = put("c", "a", 59_999).await;
        assert!(
            matches!(refused, Err(StoreError::SessionTaken { .. })),
            "{refused:?}"
        );
        let refused = put("c", "c", 59_999).await;
        assert!(matches!(refused, Err(StoreError::Limit(2))), "{refused:?}");
        // one has lapsed: its place, its name and its room are free
        put("c", "a", 60_000).await.unwrap();
        let refused = put("a", "a", 60_000).await;
        assert!(
            matches!(refused, Err(StoreError::SessionTaken { .. })),
            "{refused:?}"
        );
        let again = put("a", "d", 61_000).await.unwrap();
        assert_ne!(again.id, first.id);
    }

    #[tokio::test]
    async fn what_a_delegation_holds_is_known_without_counting() {
        let folder = tempfile::tempdir().unwrap();
        let (store, holder) = delegated(&folder).await;
        let holds = async || -> i64 {
            let (held, there): (i64, i64) =
                sqlx::query_as("SELECT held, (SELECT count(*) FROM sessions) FROM delegations")
                    .fetch_one(&store.pool)
                    .await
                    .unwrap();
            assert_eq!(held, there);
            held
        };
        let put = async |name: &str, place: &str, now| {
            let spec = spec(place);
            let put = store.put_session(&holder, name, &spec, at(now));
            put.await.unwrap();
        };
        put("a", "a", 0).await;
        put("b", "b", 1_000).await;
        assert_eq!(holds().await, 2);
        // the same again, and elsewhere
        put("b", "c", 1_000).await;
        assert_eq!(holds().await, 2);
        // over one that has lapsed
        put("c", "a", 60_000).await;
        assert_eq!(holds().await, 2);
        store.delete_session(&holder, "c").await.unwrap();
        assert_eq!(holds().await, 1);
        store.reap_sessions(at(70_000)).await.unwrap();
        assert_eq!(holds().await, 0);
    }

    #[tokio::test]
    async fn one_that_was_revoked_meanwhile_adds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, holder) = delegated(&folder).await;
        store
            .put_session(&holder, "a", &spec("a"), at(0))
            .await
            .unwrap();
        let route = store.route(Uuid::nil()).await.unwrap().unwrap();
        let places = store
            .revoke_delegation(&route, "runner", "ada", at(1))
            .await;
        assert_eq!(places.unwrap().unwrap()[0].path, "/play/a");
        let refused = store.put_session(&holder, "g", &spec("g"), at(2)).await;
        assert!(matches!(refused, Err(StoreError::Ended)), "{refused:?}");
        assert!(store.holder("mkys_x").await.unwrap().is_none());
        assert!(store.serving(at(2)).await.unwrap().sessions.is_empty());
    }
}
