//! Votes: one statement each, which copes with a vote that is there already.

use entity::{posts, votes};
use sea_orm::{
    ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict, Query},
};

use super::{now, posts::visible_to};
use crate::{db::Db, error::Error};

/// A post's votes after the caller's vote was added or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many users voted for the post.
    pub votes: i64,
    /// Whether this call changed anything.
    pub changed: bool,
}

/// Adds `caller`'s vote for post `post_id`, unless it is there.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidToken`] when the caller has just been deleted.
pub async fn add(db: &Db, caller: i64, post_id: i64) -> Result<Tally, Error> {
    let visible = Query::select()
        .column((posts::Entity, posts::Column::Id))
        .expr(Expr::value(caller))
        .expr(Expr::value(now()))
        .from(posts::Entity)
        .and_where(posts::COLUMN.id.eq(post_id))
        .cond_where(visible_to(Some(caller)))
        .take();
    let insert = Query::insert()
        .into_table(votes::Entity)
        .columns([
            votes::Column::PostId,
            votes::Column::UserId,
            votes::Column::CreatedAt,
        ])
        .select_from(visible)
        .map_err(|error| Error::Internal(error.into()))?
        .on_conflict(
            OnConflict::columns([votes::Column::PostId, votes::Column::UserId])
                .do_nothing()
                .to_owned(),
        )
        .take();
    let inserted = db
        .write_one(async |connection| Ok(connection.execute(&insert).await?))
        .await?;
    tally(db, caller, post_id, inserted.rows_affected() > 0).await
}

/// Takes `caller`'s vote for post `post_id` back, if there is one.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove(db: &Db, caller: i64, post_id: i64) -> Result<Tally, Error> {
    // A vote for a post that its owner has made a draft since stays.
    let visible = Query::select()
        .column((posts::Entity, posts::Column::Id))
        .from(posts::Entity)
        .and_where(posts::COLUMN.id.eq(post_id))
        .cond_where(visible_to(Some(caller)))
        .take();
    let deleted = db
        .write_one(async |connection| {
            let delete = votes::Entity::delete_many()
                .filter(votes::COLUMN.post_id.in_subquery(visible.clone()))
                .filter(votes::COLUMN.user_id.eq(caller));
            Ok(delete.exec(connection).await?)
        })
        .await?;
    tally(db, caller, post_id, deleted.rows_affected > 0).await
}

/// Asked for once the vote is committed: what others did meanwhile counts too.
async fn tally(db: &Db, caller: i64, post_id: i64, changed: bool) -> Result<Tally, Error> {
    let votes = posts::Entity::find()
        .select_only()
        .column(posts::Column::Votes)
        .filter(posts::COLUMN.id.eq(post_id))
        .filter(visible_to(Some(caller)))
        .into_tuple::<i64>()
        .all(db.read())
        .await?;
    match votes.first() {
        Some(&votes) => Ok(Tally { votes, changed }),
        None => Err(Error::NotFound {
            what: "post",
            id: post_id,
        }),
    }
}
