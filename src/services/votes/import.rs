//! Votes of an import.

use entity::{
    values::{PostId, UserId},
    votes::{Column, Entity},
};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, OnConflict, Query},
};
use time::OffsetDateTime;

use super::{KEY, Vote, is_changed, select_and_lock, votes_of};
use crate::{
    db::{Transaction, ValuesTable},
    error::Error,
};

/// Adds votes of `user_id`, each with its time, except for those that exist. Returns the number of new ones.
/// The user is locked, and owns the posts.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::services) async fn insert(
    transaction: &Transaction,
    user_id: UserId,
    votes: &[(PostId, OffsetDateTime)],
) -> Result<usize, Error> {
    let vote = |(post_id, _): &(PostId, OffsetDateTime)| Vote {
        post_id: *post_id,
        user_id,
    };
    let requested: Vec<Vote> = votes.iter().map(vote).collect();
    let locked = transaction
        .query_all(&select_and_lock(transaction, &requested, None))
        .await?;
    let locked = is_changed(&votes_of(&locked)?, &requested);
    let votes = votes.iter().zip(locked).filter(|(_, locked)| *locked);
    let (ids, times): (Vec<_>, Vec<_>) = votes.map(|(vote, _)| *vote).unzip();
    let votes = ValuesTable::new()
        .column("post_id", ids)
        .column("created_at", times);
    let select = Query::select()
        .column(Column::PostId)
        .expr(Expr::value(user_id))
        .column(Column::CreatedAt)
        .from_subquery(votes.select(transaction.get_database_backend()), "rows")
        // Without it SQLite cannot tell whether ON belongs to a join.
        .and_where(Expr::cust("true"))
        .take();
    let insert = Query::insert()
        .into_table(Entity)
        .columns([Column::PostId, Column::UserId, Column::CreatedAt])
        .select_from(select)
        .map_err(Error::internal)?
        .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
        .returning_col(Column::PostId)
        .take();
    Ok(transaction.query_all(&insert).await?.len())
}
