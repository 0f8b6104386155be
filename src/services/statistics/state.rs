//! The progress of the job.

use entity::{
    statistics::{Column, Entity, Model},
    values::EventPosition,
};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter,
    FromQueryResult, QueryFilter, Statement,
};

use crate::{
    db::{Db, Transaction},
    error::Error,
};

/// What the job does besides following the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(super) enum Phase {
    /// Nothing: the statistics are complete.
    Complete = 0,
    /// The tables are to be filled from what exists.
    Begin = 1,
    /// Users are counted.
    Users = 2,
    /// Posts, their tags and their votes are counted.
    Posts = 3,
    /// The log that is kept is read again for the activity of users.
    Activity = 4,
}

/// The state of the statistics and of the log.
#[derive(Debug)]
pub(super) struct Progress {
    pub state: Model,
    /// The position of the oldest event that is kept.
    pub first: Option<EventPosition>,
    /// The position of the newest event; the start without events.
    pub last: EventPosition,
}

/// In one statement, so that the parts belong together.
const PROGRESS: &str = "SELECT statistics.*, (SELECT min(position) FROM events) AS first,
    coalesce((SELECT max(position) FROM events), 0) AS last FROM statistics";

impl Progress {
    /// Reads the present state.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn read(db: &Db) -> Result<Self, Error> {
        let connection = db.read();
        let statement = Statement::from_string(connection.get_database_backend(), PROGRESS);
        let row = connection.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::internal("the row of `statistics` is missing"))?;
        Ok(Self {
            state: Model::from_query_result(&row, "")?,
            first: row.try_get("", "first")?,
            last: row.try_get("", "last")?,
        })
    }

    /// Whether events after the folded position may be missing: they were removed, or the log was replaced.
    /// The newest folded event is kept, so that a gap in the positions after it is none in the log.
    pub fn has_lost_events(&self) -> bool {
        let position = self.state.position;
        let expected = position.max(EventPosition::START.plus(1));
        self.last < position || self.first.is_some_and(|first| first > expected)
    }
}

/// The phase of `state`.
pub(super) fn phase(state: &Model) -> Phase {
    Phase::try_from_value(&state.phase).unwrap_or(Phase::Begin)
}

/// The position up to which the statistics have every event.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn folded(db: &Db) -> Result<EventPosition, Error> {
    Ok(Progress::read(db).await?.state.position)
}

/// Replaces the state by `next`, whose revision is that of the state it follows. Returns false and changes
/// nothing if another server has written meanwhile.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn replace(transaction: &Transaction, next: &Model) -> Result<bool, Error> {
    let update = Entity::update_many()
        .col_expr(Column::Revision, (next.revision.saturating_add(1)).into())
        .col_expr(Column::Position, next.position.get().into())
        .col_expr(Column::OwnerAfter, next.owner_after.into())
        .col_expr(Column::Phase, next.phase.into())
        .col_expr(Column::PhaseAfter, next.phase_after.into())
        .col_expr(Column::Users, next.users.into())
        .col_expr(Column::Posts, next.posts.into())
        .col_expr(Column::Votes, next.votes.into())
        .filter(Column::Id.eq(1))
        .filter(Column::Revision.eq(next.revision));
    Ok(update.exec(transaction).await?.rows_affected == 1)
}
