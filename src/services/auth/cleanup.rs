//! Deletes expired rows in small transactions, so that no request waits long for a lock.

use entity::{event_tickets, personal_tokens, refresh_tokens, sessions};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{IntoCondition, Query},
};

use crate::{db::Db, error::Error, services::now};

/// Maximum number of rows that one transaction deletes.
const STEP: u64 = 500;

/// Deletes expired sessions, personal access tokens, tickets and refresh tokens. A refresh token expires
/// after `refresh_lifetime` or with its session. Returns the number of deleted rows.
pub async fn delete_expired(db: &Db, refresh_lifetime: time::Duration) -> Result<u64, Error> {
    let now = now();
    let expired_sessions = Query::select()
        .column(sessions::Column::Id)
        .from(sessions::Entity)
        .and_where(sessions::Column::ExpiresAt.lt(now))
        .take();
    let expired_refresh_tokens = Condition::any()
        .add(refresh_tokens::Column::CreatedAt.lt(now - refresh_lifetime))
        .add(refresh_tokens::Column::SessionId.in_subquery(expired_sessions));
    // Delete refresh tokens first: deleting a session cascades to all of its tokens.
    let refresh_tokens = delete_in_steps::<refresh_tokens::Entity>(
        db,
        refresh_tokens::Column::Hash,
        expired_refresh_tokens,
    )
    .await?;
    let sessions = delete_in_steps::<sessions::Entity>(
        db,
        sessions::Column::Id,
        sessions::Column::ExpiresAt.lt(now).into_condition(),
    )
    .await?;
    let personal_tokens = delete_in_steps::<personal_tokens::Entity>(
        db,
        personal_tokens::Column::Id,
        personal_tokens::Column::ExpiresAt.lt(now).into_condition(),
    )
    .await?;
    let tickets = delete_in_steps::<event_tickets::Entity>(
        db,
        event_tickets::Column::Hash,
        event_tickets::Column::ExpiresAt.lt(now).into_condition(),
    )
    .await?;
    Ok(refresh_tokens + sessions + personal_tokens + tickets)
}

/// Deletes the rows that match `condition`, at most [`STEP`] in one transaction.
async fn delete_in_steps<E: EntityTrait>(
    db: &Db,
    key: E::Column,
    condition: Condition,
) -> Result<u64, Error> {
    let mut total = 0;
    let condition = &condition;
    loop {
        let deleted = db
            .write(|transaction| async move {
                let step = Query::select()
                    .column(key)
                    .from(E::default())
                    .cond_where(condition.clone())
                    .limit(STEP)
                    .take();
                let delete = E::delete_many().filter(key.in_subquery(step));
                Ok(delete.exec(&transaction).await?.rows_affected)
            })
            .await?;
        total += deleted;
        if deleted < STEP {
            return Ok(total);
        }
    }
}
