//! Reading the log.

use entity::{
    events, posts, users,
    values::{EventKind, EventKinds, EventPosition},
};
use sea_orm::{
    ActiveEnum, ConnectionTrait, DbErr, Iterable, Statement,
    sea_query::{Condition, Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};

use super::event::{ActorState, Audience, Event, Row};
use crate::{
    db::{Db, many_rows, page},
    error::Error,
    services::posts::visibility::visible_with_owner,
};

/// Positions that one read looks at: few of them may be of the kinds.
const RANGE: i64 = 10_000;
/// The alias of the users who act.
const ACTORS: &str = "actors";
/// The kinds whose subject is a post.
const POST_KINDS: [EventKind; 7] = [
    EventKind::PostCreated,
    EventKind::PostUpdated,
    EventKind::PostPublished,
    EventKind::PostUnpublished,
    EventKind::PostDeleted,
    EventKind::VoteAdded,
    EventKind::VoteRemoved,
];

/// The first and the last position of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The position before the oldest event that is kept. At most `last`.
    pub before_first: EventPosition,
    /// The position of the newest event; the start if there was none.
    pub last: EventPosition,
}

/// Maximum and minimum by the primary key. The newest event is never removed.
const EXTENT: &str = "SELECT coalesce((SELECT min(position) - 1 FROM events), 0) AS before_first,
    coalesce((SELECT max(position) FROM events), 0) AS last";

/// Reads the extent of the log.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn extent(db: &Db) -> Result<Extent, Error> {
    let connection = db.read();
    let statement = Statement::from_string(connection.get_database_backend(), EXTENT);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::internal("the log has no extent"))?;
    Ok(Extent {
        before_first: row.try_get("", "before_first")?,
        last: row.try_get("", "last")?,
    })
}

/// Rows of the log that were read together.
#[derive(Debug)]
pub struct Page {
    /// Those of known kinds.
    pub events: Vec<Event>,
    /// The position up to which the page is complete.
    pub end: EventPosition,
}

/// Reads up to `limit` events of `kinds` after position `after`, up to `last`, which must be the last of an
/// [`Extent`] or before it. Looks at up to 10,000 positions.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn read(
    connection: &impl ConnectionTrait,
    after: EventPosition,
    last: EventPosition,
    kinds: EventKinds,
    limit: u64,
) -> Result<Page, Error> {
    let last = Ord::min(last, after.plus(RANGE));
    let backend = connection.get_database_backend();
    let statement = backend.build(&select(after, last, kinds));
    let rows: Vec<Row> = many_rows(connection, page(statement, limit, 0)).await?;
    let end = match rows.last() {
        Some(row) if rows.len() as u64 == limit => row.position,
        _ => last,
    };
    let events: Result<Vec<_>, DbErr> = rows.into_iter().map(Event::of).collect();
    let events = events?.into_iter().flatten().collect();
    Ok(Page { events, end })
}

fn select(after: EventPosition, last: EventPosition, kinds: EventKinds) -> SelectStatement {
    let position = || Expr::col((events::Entity, events::Column::Position));
    let kind = || Expr::col((events::Entity, events::Column::Kind));
    let is_of_post = kind().is_in(POST_KINDS.iter().map(|kind| kind.name()));
    let subject = (events::Entity, events::Column::SubjectId);
    let actor = |column: users::Column| Expr::col((ACTORS, column));
    let public = visible_with_owner(None);
    // The rule for the owner of the post.
    let visible_to_owner = visible_with_owner(Some(Expr::Constant(true.into())));
    let audience = Expr::case(public, constant(&Audience::Everyone))
        .case(visible_to_owner, constant(&Audience::Owner))
        .finally(constant(&Audience::Nobody));
    let has = |column: users::Column| actor(column).is_not_null();
    let state = Expr::case(
        has(users::Column::DeletedAt),
        constant(&ActorState::Deleted),
    )
    .case(
        has(users::Column::SuspendedAt),
        constant(&ActorState::Suspended),
    )
    .case(has(users::Column::Id), constant(&ActorState::Active));
    let mut select = Query::select();
    select
        .columns(events::Column::iter().map(|column| (events::Entity, column)))
        .columns([
            (posts::Entity, posts::Column::OwnerId),
            (posts::Entity, posts::Column::Tags),
            (posts::Entity, posts::Column::Votes),
        ])
        .expr_as(audience, "audience")
        .expr_as(state, "actor_state")
        .from(events::Entity)
        .join(
            JoinType::LeftJoin,
            posts::Entity,
            Condition::all()
                .add(Expr::col((posts::Entity, posts::Column::Id)).equals(subject))
                .add(is_of_post),
        )
        .join(
            JoinType::LeftJoin,
            users::Entity,
            Expr::col((users::Entity, users::Column::Id))
                .equals((posts::Entity, posts::Column::OwnerId)),
        )
        .join_as(
            JoinType::LeftJoin,
            users::Entity,
            ACTORS,
            actor(users::Column::Id).equals((events::Entity, events::Column::ActorId)),
        )
        .and_where(position().gt(after))
        .and_where(position().lte(last))
        .order_by((events::Entity, events::Column::Position), Order::Asc);
    if kinds != EventKinds::ALL {
        select.and_where(kind().is_in(kinds.iter().map(EventKind::name)));
    }
    select
}

fn constant(value: &impl ActiveEnum<Value = String>) -> Expr {
    Expr::Constant(value.to_value().into())
}
