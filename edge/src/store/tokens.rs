//! The tokens of those who ask for routes and decide on them.

use jiff::Timestamp;
use mkys_edge_client::{Actor, Role};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{Store, StoreError};
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
    pub async fn add_token(
        &self,
        actor: &Actor,
        token: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let role = match actor.role {
            Role::Requester => "requester",
            Role::Administrator => "administrator",
        };
        let json = |value: serde_json::Value| value.to_string();
        let added = sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, blades, networks, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(&actor.name)
        .bind(role)
        .bind(token::hash(token))
        .bind(json(serde_json::json!(actor.blades)))
        .bind(json(serde_json::json!(actor.networks)))
        .bind(now.to_string())
        .execute(&self.pool)
        .await;
        match added {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(StoreError::TokenTaken(actor.name.clone()))
            }
            other => Ok(other.map(drop)?),
        }
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

    /// Revokes a token for good; false when there is none of that name.
    pub async fn revoke_token(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE name = ?")
            .bind(now.to_string())
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }
}

fn token_row(row: &SqliteRow) -> Result<TokenRow, StoreError> {
    let role: String = row.try_get("role")?;
    let json = |column: &str| -> Result<String, sqlx::Error> { row.try_get(column) };
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    Ok(TokenRow {
        actor: Actor {
            name: row.try_get("name")?,
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
