//! Follows the log.

use entity::{
    activity_days, post_statistics, posts, user_activity,
    values::{EventKind, EventPosition},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};
use tokio::time::Instant;

use super::{
    first_kept_day,
    page::{Event, Ids, POSTS, from, read},
    rebuild::rebuild,
    state::{Phase, Progress, phase},
    step::{Step, post, user},
    write::run,
};
use crate::{db::Db, error::Error, services::now};

/// Maximum number of old rows that one step removes.
const OLD_ROWS: u64 = 1_000;

/// The kinds that change statistics.
const KINDS: [EventKind; 11] = [
    EventKind::PostCreated,
    EventKind::PostUpdated,
    EventKind::PostPublished,
    EventKind::PostUnpublished,
    EventKind::PostDeleted,
    EventKind::VoteAdded,
    EventKind::VoteRemoved,
    EventKind::UserCreated,
    EventKind::UserSuspended,
    EventKind::UserRestored,
    EventKind::UserDeleted,
];

/// The age from which events make a backlog old. On PostgreSQL their time is that of the database.
const OLD: time::Duration = time::Duration::minutes(1);

/// The log after a step.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What remains to be folded.
    pub backlog: Backlog,
    /// The end of the log that the step saw.
    pub end: EventPosition,
    /// The time at which it saw the end.
    pub seen: Instant,
}

/// The events after a step that remain to be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing of what the step saw.
    Empty,
    /// Positions after an event of the last minute.
    Recent,
    /// Positions after an older event, the posts of a hidden or restored user, or the statistics are not complete.
    Old,
}

/// Takes the next step.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn fold(db: &Db) -> Result<Outcome, Error> {
    let progress = Progress::read(db).await?;
    let (end, seen) = (progress.last, Instant::now());
    let backlog = take_step(db, progress).await?;
    Ok(Outcome { backlog, end, seen })
}

async fn take_step(db: &Db, progress: Progress) -> Result<Backlog, Error> {
    let is_rebuilding = phase(&progress.state) != Phase::Complete;
    if phase(&progress.state) != Phase::Begin && progress.has_lost_events() {
        tracing::warn!(
            position = %progress.state.position,
            "the event log lacks events that the statistics do not have: they are counted anew"
        );
        let mut next = progress.state;
        next.phase = Phase::Begin as i32;
        run(db, Step::to(next)).await?;
        return Ok(Backlog::Old);
    }
    // Both take turns: neither waits for the end of the other.
    if phase(&progress.state) != Phase::Begin && progress.state.position < progress.last {
        let backlog = follow(db, &progress).await?;
        if !is_rebuilding {
            return Ok(backlog);
        }
    }
    if !is_rebuilding {
        return Ok(Backlog::Empty);
    }
    rebuild(db, Progress::read(db).await?).await?;
    Ok(Backlog::Old)
}

/// Folds the next page of the log, or the next posts of a user. Events that came since the page was read are not
/// in the backlog: they wait, so that they are written together.
async fn follow(db: &Db, progress: &Progress) -> Result<Backlog, Error> {
    let mut page = read(db, progress.state.position, progress.last, &KINDS).await?;
    let next_user = page.events.iter().position(changes_all_posts);
    if let Some(place) = next_user {
        if place == 0
            && let Some(event) = page.events.first()
        {
            posts_of_user(db, progress, event).await?;
            // Now that it is the turn of the event, the posts disappear soon.
            return Ok(Backlog::Old);
        }
        if let Some(event) = page.events.get(place) {
            page.end = event.position.before();
        }
        page.events.truncate(place);
    }
    let mut next = progress.state.clone();
    next.position = page.end;
    let mut step = Step::to(next);
    for event in &page.events {
        step.add(event);
    }
    let is_at_end = step.next.position >= progress.last;
    let folded_at = page.events.last().map(|event| event.at);
    run(db, step).await?;
    Ok(match folded_at {
        _ if is_at_end => Backlog::Empty,
        Some(at) if next_user.is_none() && at > now() - OLD => Backlog::Recent,
        // Or the posts of a user are next. A page without an event that counts has no known age, and took no time.
        _ => Backlog::Old,
    })
}

/// Whether an event hides or shows all posts of a user.
fn changes_all_posts(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::UserSuspended | EventKind::UserRestored | EventKind::UserDeleted
    )
}

/// Looks at some posts of the user of `event`, the next one of the log. After the last of them the event is
/// folded.
async fn posts_of_user(db: &Db, progress: &Progress, event: &Event) -> Result<(), Error> {
    let owner = event.subject_id;
    let sources = [
        (
            from(posts::Entity)
                .and_where(posts::Column::OwnerId.eq(owner))
                .take(),
            Expr::col(posts::Column::Id),
        ),
        (
            from(post_statistics::Entity)
                .and_where(post_statistics::Column::OwnerId.eq(owner))
                .take(),
            Expr::col(post_statistics::Column::PostId),
        ),
    ];
    let ids = Ids::read(db, progress.state.owner_after, POSTS, sources).await?;
    let mut next = progress.state.clone();
    if let Some(end) = ids.end {
        next.owner_after = end;
    } else {
        next.owner_after = 0;
        next.position = event.position;
    }
    let mut step = Step::to(next);
    step.posts = ids.ids.into_iter().filter_map(post).collect();
    if ids.end.is_none() {
        step.users.extend(user(owner));
    }
    run(db, step).await?;
    Ok(())
}

/// Removes the activity of days that no answer has any more, in steps.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn remove_old_days(db: &Db) -> Result<(), Error> {
    let kept = first_kept_day();
    loop {
        let deleted = db
            .write_a_step(|transaction| async move {
                let oldest = Query::select()
                    .columns([user_activity::Column::UserId, user_activity::Column::Day])
                    .from(user_activity::Entity)
                    .and_where(user_activity::Column::Day.lt(kept))
                    .limit(OLD_ROWS)
                    .take();
                let key = Expr::tuple([
                    Expr::col(user_activity::Column::UserId),
                    Expr::col(user_activity::Column::Day),
                ]);
                let delete = Query::delete()
                    .from_table(user_activity::Entity)
                    .and_where(key.in_subquery(oldest))
                    .take();
                let deleted = transaction.execute(&delete).await?.rows_affected();
                let days = activity_days::Entity::delete_many()
                    .filter(activity_days::Column::Day.lt(kept));
                days.exec(&transaction).await?;
                Ok(deleted)
            })
            .await?;
        if deleted < OLD_ROWS {
            return Ok(());
        }
    }
}
