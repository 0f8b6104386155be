//! Expired rows go in small steps, so that no request waits for a long one.

use std::time::Duration;

use entity::{personal_tokens as tokens, refresh_tokens, sessions};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{IntoCondition, Query},
};

use super::now;
use crate::{db::Db, error::Error};

/// How long there is between two rounds.
pub const PAUSE: Duration = Duration::from_mins(1);
/// How many rows go in one transaction.
const STEP: u64 = 500;

/// Deletes sessions and tokens that have expired, and refresh tokens that nobody can use any more
/// after `refresh_lifetime`. Tells how many rows went.
pub async fn round(db: &Db, refresh_lifetime: time::Duration) -> Result<u64, Error> {
    use {refresh_tokens as r, sessions as s, tokens as t};
    let now = now();
    let over = Query::select()
        .column(s::Column::Id)
        .from(s::Entity)
        .and_where(s::Column::ExpiresAt.lt(now))
        .take();
    let useless = Condition::any()
        .add(r::Column::CreatedAt.lt(now - refresh_lifetime))
        .add(r::Column::SessionId.in_subquery(over));
    // Refresh tokens before their sessions, whose end would take all of theirs at once.
    Ok(all::<r::Entity>(db, r::Column::Hash, useless).await?
        + all::<s::Entity>(
            db,
            s::Column::Id,
            s::Column::ExpiresAt.lt(now).into_condition(),
        )
        .await?
        + all::<t::Entity>(
            db,
            t::Column::Id,
            t::Column::ExpiresAt.lt(now).into_condition(),
        )
        .await?)
}

/// Deletes the rows of `which`, `STEP` at most in one transaction.
async fn all<E: EntityTrait>(db: &Db, key: E::Column, which: Condition) -> Result<u64, Error> {
    let (mut all, which) = (0, &which);
    loop {
        let gone = db
            .write(|transaction| async move {
                let some = Query::select()
                    .column(key)
                    .from(E::default())
                    .cond_where(which.clone())
                    .limit(STEP)
                    .take();
                let gone = E::delete_many().filter(key.in_subquery(some));
                Ok(gone.exec(&transaction).await?.rows_affected)
            })
            .await?;
        all += gone;
        if gone < STEP {
            return Ok(all);
        }
    }
}
