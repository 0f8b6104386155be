//! Fills the tables from what exists, in bounded steps, while the job follows the log.
//!
//! The first step moves the folded position to the end of the log. The steps after it read users and posts
//! in the order of their ids. What changes meanwhile has events, which are folded as usual.

use entity::{post_statistics, posts, user_statistics, users, values::EventPosition};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::{
    page::{Ids, POSTS, from, read},
    state::{Phase, Progress, phase},
    step::{ACTS, Step, post, user},
    write::run,
};
use crate::{db::Db, error::Error};

/// Maximum number of users that one step looks at.
const USERS: u64 = 1_000;
/// Maximum number of votes that one step counts by day, unless they are of one post. SQLite counts about a
/// million a second, and its writers wait meanwhile.
const VOTES: i64 = 500_000;
/// Maximum number of votes of a post that is counted by day. A statement of PostgreSQL has 10 s.
const MAX_VOTES_OF_POST: i64 = 2_000_000;

/// Takes the next step.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub(super) async fn rebuild(db: &Db, progress: Progress) -> Result<(), Error> {
    let after = progress.state.phase_after;
    let mut next = progress.state.clone();
    let step = match phase(&next) {
        Phase::Complete => return Ok(()),
        Phase::Begin => {
            next.position = progress.last;
            next.owner_after = 0;
            turn(&mut next, Phase::Users);
            Step::to(next)
        }
        Phase::Users => {
            let sources = [
                (
                    from(users::Entity)
                        .and_where(users::Column::DeletedAt.is_null())
                        .take(),
                    Expr::col(users::Column::Id),
                ),
                (
                    from(user_statistics::Entity),
                    Expr::col(user_statistics::Column::UserId),
                ),
            ];
            let ids = Ids::read(db, after, USERS, sources).await?;
            go_on(&mut next, ids.end, Phase::Posts);
            let mut step = Step::to(next);
            step.users = ids.ids.into_iter().filter_map(user).collect();
            step
        }
        Phase::Posts => {
            let sources = [
                (from(posts::Entity), Expr::col(posts::Column::Id)),
                (
                    from(post_statistics::Entity),
                    Expr::col(post_statistics::Column::PostId),
                ),
            ];
            let mut ids = Ids::read(db, after, POSTS, sources).await?;
            let counts = bound_votes(db, after, &mut ids).await?;
            go_on(&mut next, ids.end, Phase::Activity);
            let mut step = Step::to(next);
            step.posts = ids.ids.into_iter().filter_map(post).collect();
            step.recount = counts.then_some((after, ids.end.unwrap_or(i64::MAX)));
            step
        }
        Phase::Activity => {
            let begin = progress.first.map_or(0, |first| first.before().get());
            let begin = EventPosition::START.plus(Ord::max(begin, after));
            let (end, activity) = if begin < next.position {
                let page = read(db, begin, next.position, &ACTS).await?;
                (page.end, page.events)
            } else {
                (next.position, Vec::new())
            };
            let end = (end < next.position).then_some(end.get());
            go_on(&mut next, end, Phase::Complete);
            let mut step = Step::to(next);
            for event in &activity {
                step.add_activity(event);
            }
            step
        }
    };
    run(db, step).await?;
    Ok(())
}

/// Ends `ids`, which come after `after`, before the votes of their posts are too many for one step. Returns false if
/// those of its only post are: they are not counted by day.
async fn bound_votes(db: &Db, after: i64, ids: &mut Ids) -> Result<bool, Error> {
    let counts = posts::Entity::find()
        .select_only()
        .columns([posts::Column::Id, posts::Column::Votes])
        .filter(posts::Column::Id.gt(after))
        .filter(posts::Column::Id.lte(ids.end.unwrap_or(i64::MAX)))
        .order_by_asc(posts::Column::Id)
        .into_tuple::<(i64, i64)>();
    let mut sum = 0;
    let mut last = None;
    for (id, votes) in counts.all(db.read()).await? {
        let is_large = votes > MAX_VOTES_OF_POST;
        sum += votes;
        if is_large && last.is_none() {
            ids.end_at(id);
            return Ok(false);
        }
        if is_large || sum > VOTES && last.is_some() {
            ids.end_at(last.unwrap_or(after));
            return Ok(true);
        }
        last = Some(id);
    }
    Ok(true)
}

fn turn(state: &mut entity::statistics::Model, phase: Phase) {
    state.phase = phase as i32;
    state.phase_after = 0;
}

/// Continues after `end`, or with phase `then` if there is none.
fn go_on(state: &mut entity::statistics::Model, end: Option<i64>, then: Phase) {
    match end {
        Some(end) => state.phase_after = end,
        None => turn(state, then),
    }
}
