//! Pages of the log, and pages of ids.

use std::collections::BTreeSet;

use entity::{
    events::{Column, Entity},
    values::{EventKind, EventPosition},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, Order, Query, SelectStatement},
};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    db::{Db, Moment, many_rows, page},
    error::Error,
};

/// Maximum number of events of a page. A page changes as many posts, in one transaction.
const EVENTS: u64 = 2_000;
/// Maximum number of posts that one step looks at, of a user or of all.
pub(super) const POSTS: u64 = 500;
/// Positions that one page looks at: few of them may be of the kinds.
const RANGE: i64 = 10_000;

/// What the statistics need of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub position: EventPosition,
    pub kind: EventKind,
    pub at: OffsetDateTime,
    pub subject_id: i64,
    pub actor_id: Option<i64>,
}

/// Consecutive events.
#[derive(Debug)]
pub(super) struct Page {
    pub events: Vec<Event>,
    /// The position up to which the page is complete.
    pub end: EventPosition,
}

/// Reads events of `kinds` after `after` and up to `last`, a position that the log has reached.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn read(
    db: &Db,
    after: EventPosition,
    last: EventPosition,
    kinds: &[EventKind],
) -> Result<Page, Error> {
    let last = Ord::min(last, after.plus(RANGE));
    let connection = db.read();
    let select = Entity::find()
        .select_only()
        .columns([
            Column::Position,
            Column::Kind,
            Column::At,
            Column::SubjectId,
            Column::ActorId,
        ])
        .filter(Column::Position.gt(after))
        .filter(Column::Position.lte(last))
        .filter(Column::Kind.is_in(kinds.iter().map(|kind| kind.name())))
        .order_by_asc(Column::Position);
    let statement = page(select.build(connection.get_database_backend()), EVENTS, 0);
    let rows: Vec<Row> = many_rows(connection, statement).await?;
    let is_full = rows.len() as u64 == EVENTS;
    let events: Result<Vec<_>, _> = rows.into_iter().map(event).collect();
    let events = events?;
    let end = match events.last() {
        Some(event) if is_full => event.position,
        _ => last,
    };
    Ok(Page { events, end })
}

/// The columns of an event.
#[derive(Deserialize, FromQueryResult)]
struct Row {
    position: EventPosition,
    kind: String,
    at: Moment,
    subject_id: i64,
    actor_id: Option<i64>,
}

fn event(row: Row) -> Result<Event, DbErr> {
    Ok(Event {
        position: row.position,
        kind: row.kind.parse().map_err(|_| DbErr::Type(row.kind))?,
        at: row.at.0,
        subject_id: row.subject_id,
        actor_id: row.actor_id,
    })
}

/// Ids in ascending order.
#[derive(Debug)]
pub(super) struct Ids {
    pub ids: BTreeSet<i64>,
    /// The id up to which they are complete. `None` if there are no further ones.
    pub end: Option<i64>,
}

impl Ids {
    /// Reads the next ids after `after` of two tables: up to `limit` of each, and no further than both were
    /// read. The two selects have no bound and no order; their ids are in the columns.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn read(
        db: &Db,
        after: i64,
        limit: u64,
        sources: [(SelectStatement, Expr); 2],
    ) -> Result<Self, Error> {
        let connection = db.read();
        let backend = connection.get_database_backend();
        let mut ids = BTreeSet::new();
        let mut end: Option<i64> = None;
        for (mut select, column) in sources {
            select
                .expr_as(column.clone(), "id")
                .and_where(column.clone().gt(after))
                .order_by_expr(column, Order::Asc);
            let statement = page(backend.build(&select), limit, 0);
            let rows = connection.query_all_raw(statement).await?;
            let mut last = None;
            for row in &rows {
                let id: i64 = row.try_get("", "id")?;
                ids.insert(id);
                last = Some(id);
            }
            if rows.len() as u64 == limit
                && let Some(last) = last
            {
                end = Some(end.map_or(last, |end| Ord::min(end, last)));
            }
        }
        let mut ids = Self { ids, end: None };
        if let Some(end) = end {
            ids.end_at(end);
        }
        Ok(ids)
    }

    /// Leaves out the ids after `end`.
    pub fn end_at(&mut self, end: i64) {
        self.ids.retain(|id| *id <= end);
        self.end = Some(end);
    }
}

/// A select of `table`, for [`Ids::read`].
pub(super) fn from<E: EntityTrait + Copy>(table: E) -> SelectStatement {
    Query::select().from(table).take()
}
