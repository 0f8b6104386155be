//! What clients read. Each answer is one statement, so that its numbers and its position belong together.

use entity::values::{EventPosition, PostId, Tag, UserId};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

pub use entity::values::TagCursor;

use super::{DayNumber, MONTH};
use crate::{
    db::{Autocommit, Db},
    error::Error,
    services::{posts, users},
};

/// Maximum number of days in [`PostDays`].
const VOTE_DAYS: u32 = 90;

/// How far the statistics are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldedTo {
    /// Every event up to this position is counted.
    pub position: EventPosition,
    /// False while what exists is counted: some numbers are wrong then.
    pub is_complete: bool,
}

/// The numbers of the whole service.
#[derive(Debug)]
pub struct Totals {
    /// How far they are.
    pub folded: FoldedTo,
    /// Users who are not deleted.
    pub users: i64,
    /// Posts that everyone sees.
    pub posts: i64,
    /// Votes for these posts.
    pub votes: i64,
    /// Users who were active today or on one of the 29 days before.
    pub monthly_active: i64,
    /// The days of the month with active users, oldest first.
    pub days: Vec<Day>,
}

/// The active users of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub day: DayNumber,
    /// Users who created or changed a post or voted, and who are not deleted.
    pub active: i64,
}

/// The numbers of a user.
#[derive(Debug)]
pub struct UserTotals {
    /// How far they are.
    pub folded: FoldedTo,
    /// Posts of the user that everyone sees.
    pub posts: i64,
    /// Votes for these posts.
    pub votes: i64,
}

/// The votes for a post by day.
#[derive(Debug)]
pub struct PostDays {
    /// How far they are.
    pub folded: FoldedTo,
    /// The number of votes.
    pub votes: i64,
    /// The last 90 days with a change, newest first.
    pub days: Vec<VoteDay>,
}

/// The changes of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteDay {
    /// The day.
    pub day: DayNumber,
    /// Votes that were given.
    pub added: i64,
    /// Votes that were taken back.
    pub removed: i64,
}

/// A tag and the number of its posts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCount {
    /// The tag.
    pub tag: Tag,
    /// Posts with it that everyone sees.
    pub posts: i64,
}

async fn rows<const N: usize>(
    connection: &Autocommit,
    sql: &str,
    values: [Value; N],
) -> Result<(FoldedTo, Vec<QueryResult>), Error> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = connection.query_all_raw(statement).await?;
    let first = rows
        .first()
        .ok_or_else(|| Error::internal("the row of `statistics` is missing"))?;
    let folded = FoldedTo {
        position: first.try_get("", "position")?,
        is_complete: first.try_get::<i32>("", "phase")? == 0,
    };
    Ok((folded, rows))
}

/// The numbers of the service, with the month that ends with `today`.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn totals(db: &Db, today: DayNumber) -> Result<Totals, Error> {
    let sql = "SELECT statistics.*, activity_days.day, active, last_active
        FROM statistics LEFT JOIN activity_days ON day > $1 ORDER BY day";
    let first = today.saturating_sub(MONTH);
    let (folded, rows) = rows(db.read(), sql, [first.into()]).await?;
    let mut totals = Totals {
        folded,
        users: 0,
        posts: 0,
        votes: 0,
        monthly_active: 0,
        days: Vec::new(),
    };
    for row in &rows {
        totals.users = row.try_get("", "users")?;
        totals.posts = row.try_get("", "posts")?;
        totals.votes = row.try_get("", "votes")?;
        let Some(day) = row.try_get::<Option<DayNumber>>("", "day")? else {
            continue;
        };
        // The clock of another server may be ahead.
        totals.monthly_active += row.try_get::<i64>("", "last_active")?;
        let active = row.try_get("", "active")?;
        if day <= today && active > 0 {
            totals.days.push(Day { day, active });
        }
    }
    Ok(totals)
}

/// The numbers of user `id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn of_user(db: &Db, id: UserId) -> Result<UserTotals, Error> {
    users::get(db, id).await?;
    let sql = "SELECT position, phase,
            coalesce(user_statistics.posts, 0) AS posts, coalesce(user_statistics.votes, 0) AS votes
        FROM statistics LEFT JOIN user_statistics ON user_id = $1";
    let (folded, rows) = rows(db.read(), sql, [id.into()]).await?;
    let sum =
        |name| -> Result<i64, DbErr> { rows.iter().map(|row| row.try_get::<i64>("", name)).sum() };
    Ok(UserTotals {
        folded,
        posts: sum("posts")?,
        votes: sum("votes")?,
    })
}

/// The votes for post `id` by day, if `viewer` can see the post.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn of_post(db: &Db, viewer: Option<UserId>, id: PostId) -> Result<PostDays, Error> {
    posts::get(db, viewer, id).await?;
    let sql = format!(
        "SELECT position, phase, day, added, removed,
            (SELECT CAST(coalesce(sum(added - removed), 0) AS bigint)
                FROM post_vote_days WHERE post_id = $1) AS total
        FROM statistics LEFT JOIN (
            SELECT day, added, removed FROM post_vote_days
            WHERE post_id = $1 AND (added <> 0 OR removed <> 0) ORDER BY day DESC LIMIT {VOTE_DAYS}
        ) AS days ON true
        ORDER BY day DESC"
    );
    let (folded, rows) = rows(db.read(), &sql, [id.into()]).await?;
    let mut found = PostDays {
        folded,
        votes: 0,
        days: Vec::new(),
    };
    for row in &rows {
        found.votes = row.try_get("", "total")?;
        if let Some(day) = row.try_get("", "day")? {
            found.days.push(VoteDay {
                day,
                added: row.try_get("", "added")?,
                removed: row.try_get("", "removed")?,
            });
        }
    }
    Ok(found)
}

/// Up to `limit` tags after `after`, most used first, and where the next page starts.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn tags(
    db: &Db,
    after: Option<&TagCursor>,
    limit: u64,
) -> Result<(FoldedTo, Vec<TagCount>, Option<TagCursor>), Error> {
    let more = limit.saturating_add(1);
    // Two ranges of the index: one condition for both would read all tags with the number of the cursor.
    let sql = format!(
        "SELECT position, phase, tag, counted.posts AS posts
        FROM statistics LEFT JOIN (
            SELECT * FROM (
                SELECT tag, posts FROM tag_statistics
                WHERE posts = $1 AND tag > $2 ORDER BY tag LIMIT {more}
            ) AS same
            UNION ALL
            SELECT * FROM (
                SELECT tag, posts FROM tag_statistics
                WHERE posts < $1 ORDER BY posts DESC, tag LIMIT {more}
            ) AS fewer
        ) AS counted ON true
        ORDER BY counted.posts DESC, tag LIMIT {more}"
    );
    let start = after.map_or((i64::MAX, ""), |after| (after.posts(), after.tag()));
    let (folded, rows) = rows(&db.read_list(), &sql, [start.0.into(), start.1.into()]).await?;
    let mut tags = Vec::new();
    for row in &rows {
        if let Some(tag) = row.try_get("", "tag")? {
            let posts = row.try_get("", "posts")?;
            tags.push(TagCount { tag, posts });
        }
    }
    let has_more = tags.len() as u64 > limit;
    tags.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = tags.last().filter(|_| has_more);
    let next = last.map(|last| TagCursor::new(last.posts, &last.tag));
    Ok((folded, tags, next))
}
