//! The tokens of those who ask for routes and decide on them.

use jiff::Timestamp;
use mkys_edge_client::{Actor, Role};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{Store, StoreError, record};
use crate::token;

/// A token as it is listed.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Whose it is.
    pub actor: Actor,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<String>,
}

impl Store {
    /// Writes a token's hash.
    ///
    /// # Errors
    ///
    /// [`StoreError::TokenTaken`]; and as each function here: [`StoreError`].
    pub async fn add_token(
        &self,
        actor: &Actor,
        token: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (actor, hash, by) = (actor.clone(), token::hash(token), by.to_owned());
        let written = self.writer.write(move |connection| {
            Box::pin(async move {
                let Actor {
                    name,
                    person,
                    role,
                    blades,
                    networks,
                } = &actor;
                let role = role_word(*role);
                let added = sqlx::query(
                    "INSERT INTO tokens (id, name, person, role, hash, blades, networks, created_at) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(Uuid::new_v4().to_string())
                .bind(name)
                .bind(person)
                .bind(role)
                .bind(hash)
                .bind(serde_json::json!(blades).to_string())
                .bind(serde_json::json!(networks).to_string())
                .bind(now.to_string())
                .execute(&mut *connection)
                .await;
                match added {
                    Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                        return Err(StoreError::TokenTaken(name.clone()));
                    }
                    other => other?,
                };
                let detail = format!("{name}, {role}, of {person}");
                record(connection, now, &by, "token create", &detail).await
            })
        });
        written.await
    }

    /// Whose token this is; `None`: nobody's, or it was revoked.
    pub async fn actor(&self, token: &str) -> Result<Option<Actor>, StoreError> {
        self.actor_by_hash(&token::hash(token)).await
    }

    /// The same by what is kept of the token.
    pub async fn actor_by_hash(&self, hash: &[u8]) -> Result<Option<Actor>, StoreError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE hash = ? AND revoked_at IS NULL")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| token_row(&row).map(|row| row.actor))
            .transpose()
    }

    /// All tokens.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(token_row).collect()
    }

    /// Revokes a token for good; false when there is none of that name that was not.
    pub async fn revoke_token(
        &self,
        name: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, by) = (name.to_owned(), by.to_owned());
        let written = self.writer.write(move |connection| {
            Box::pin(async move {
                let revoked =
                    "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL";
                let revoked = sqlx::query(revoked).bind(now.to_string()).bind(&name);
                let revoked = revoked.execute(&mut *connection).await?.rows_affected() > 0;
                if revoked {
                    record(connection, now, &by, "token revoke", &name).await?;
                }
                Ok(revoked)
            })
        });
        written.await
    }

    /// Puts another token in the place of one that was not revoked; false when there is none of that name.
    pub async fn rotate_token(
        &self,
        name: &str,
        token: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, by, hash) = (name.to_owned(), by.to_owned(), token::hash(token));
        let written = self.writer.write(move |connection| {
            Box::pin(async move {
                let rotated = "UPDATE tokens SET hash = ? WHERE name = ? AND revoked_at IS NULL";
                let rotated = sqlx::query(rotated).bind(hash).bind(&name);
                let rotated = rotated.execute(&mut *connection).await?.rows_affected() > 0;
                if rotated {
                    record(connection, now, &by, "token rotate", &name).await?;
                }
                Ok(rotated)
            })
        });
        written.await
    }
}

impl Store {
    /// The last entries of the journal, oldest first, each a line.
    pub async fn journal(&self, last: u32) -> Result<Vec<String>, StoreError> {
        let query = "SELECT at || char(9) || actor || char(9) || action || char(9) || coalesce(audience, '-') || char(9) || \
                     replace(replace(detail, char(10), ' '), char(13), ' ') FROM journal ORDER BY rowid DESC LIMIT ?";
        let lines = sqlx::query_scalar(query).bind(last).fetch_all(&self.pool);
        let mut lines: Vec<String> = lines.await?;
        lines.reverse();
        Ok(lines)
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Requester => "requester",
        Role::Administrator => "administrator",
    }
}

fn token_row(row: &SqliteRow) -> Result<TokenRow, StoreError> {
    let role: String = row.try_get("role")?;
    let json = |column: &str| -> Result<String, sqlx::Error> { row.try_get(column) };
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    Ok(TokenRow {
        actor: Actor {
            name: row.try_get("name")?,
            person: row.try_get("person")?,
            role: if role == "administrator" {
                Role::Administrator
            } else {
                Role::Requester
            },
            blades: serde_json::from_str(&json("blades")?).map_err(corrupt)?,
            networks: serde_json::from_str(&json("networks")?).map_err(corrupt)?,
        },
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
