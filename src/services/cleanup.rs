//! Expired rows go in small steps, so that no request waits for a long one.

use std::time::Duration;

use entity::{refresh_tokens, sessions, tokens};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Query};
use time::OffsetDateTime;

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
    let mut all = 0;
    loop {
        let gone = some::<s::Entity>(db, s::Column::Id, s::Column::ExpiresAt, now).await?
            + some::<t::Entity>(db, t::Column::Id, t::Column::ExpiresAt, now).await?
            + some::<r::Entity>(
                db,
                r::Column::Hash,
                r::Column::CreatedAt,
                now - refresh_lifetime,
            )
            .await?;
        all += gone;
        if gone < STEP {
            return Ok(all);
        }
    }
}

/// Deletes rows whose `at` is before `moment`, `STEP` at most.
async fn some<E: EntityTrait>(
    db: &Db,
    key: E::Column,
    at: E::Column,
    moment: OffsetDateTime,
) -> Result<u64, Error> {
    db.write(async |transaction| {
        let old = Query::select()
            .column(key)
            .from(E::default())
            .and_where(at.lt(moment))
            .limit(STEP)
            .take();
        let gone = E::delete_many().filter(key.in_subquery(old));
        Ok(gone.exec(transaction).await?.rows_affected)
    })
    .await
}
