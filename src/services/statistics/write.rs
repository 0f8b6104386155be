//! Writes what a step changes.

use entity::{
    activity_days, post_statistics, post_vote_days, tag_statistics, user_activity, user_statistics,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement,
    sea_query::{Expr, ExprTrait, IntoIden, OnConflict, Query},
};

use super::{changes::Changes, state::replace, step::Step};
use crate::{
    db::{Db, Transaction, ValuesTable},
    error::Error,
};

/// How a row that exists changes.
#[derive(Clone, Copy)]
enum Merge {
    /// The new values replace the old ones.
    Replace,
    /// The new values are added to the old ones.
    Add,
}

/// Computes what `step` changes, and writes it. Returns false if another server was first: nothing is changed
/// then.
///
/// # Errors
/// [`Error::Unavailable`]. Nothing is changed.
pub(super) async fn run(db: &Db, step: Step) -> Result<bool, Error> {
    let changes = &Changes::of(db, step).await?;
    db.write_a_step(|transaction| async move { write(&transaction, changes).await })
        .await
}

/// Writes `changes`. Returns false, having changed nothing, if another server has written since they were
/// computed.
///
/// # Errors
/// [`Error::Unavailable`].
async fn write(transaction: &Transaction, changes: &Changes) -> Result<bool, Error> {
    if !replace(transaction, &changes.next).await? {
        return Ok(false);
    }
    posts(transaction, changes).await?;
    users(transaction, changes).await?;
    tags(transaction, changes).await?;
    votes(transaction, changes).await?;
    activity(transaction, changes).await?;
    Ok(true)
}

async fn posts(transaction: &Transaction, changes: &Changes) -> Result<(), Error> {
    use post_statistics::{Column, Entity};
    let counted: Vec<_> = changes.posts.values().flatten().collect();
    let table = ValuesTable::new()
        .column("post_id", counted.iter().map(|row| row.post_id))
        .column("owner_id", counted.iter().map(|row| row.owner_id))
        .column("votes", counted.iter().map(|row| row.votes))
        .column("tags", counted.iter().map(|row| row.tags.clone()));
    let (keys, rest) = (
        [Column::PostId],
        [Column::OwnerId, Column::Votes, Column::Tags],
    );
    if !counted.is_empty() {
        upsert(transaction, Entity, &keys, &rest, table, Merge::Replace).await?;
    }
    let gone = changes.posts.iter().filter(|(_, row)| row.is_none());
    let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
    if !gone.is_empty() {
        let ids = ValuesTable::new().column("id", gone);
        let ids = ids.select(transaction.get_database_backend());
        let delete = Entity::delete_many().filter(Column::PostId.in_subquery(ids));
        delete.exec(transaction).await?;
    }
    Ok(())
}

async fn users(transaction: &Transaction, changes: &Changes) -> Result<(), Error> {
    use user_statistics::{Column, Entity};
    let rows = || changes.users.values();
    if rows().next().is_none() {
        return Ok(());
    }
    let table = ValuesTable::new()
        .column("user_id", rows().map(|row| row.user_id))
        .column("is_counted", rows().map(|row| row.is_counted))
        .column("posts", rows().map(|row| row.posts))
        .column("votes", rows().map(|row| row.votes))
        .nullable_column("active_on", rows().map(|row| row.active_on));
    let rest = [
        Column::IsCounted,
        Column::Posts,
        Column::Votes,
        Column::ActiveOn,
    ];
    let keys = [Column::UserId];
    upsert(transaction, Entity, &keys, &rest, table, Merge::Replace).await?;
    let is_empty = |row: &&user_statistics::Model| !row.is_counted && row.posts == 0;
    let gone: Vec<_> = rows().filter(is_empty).map(|row| row.user_id).collect();
    if !gone.is_empty() {
        let ids = ValuesTable::new().column("id", gone);
        let ids = ids.select(transaction.get_database_backend());
        let delete = Entity::delete_many().filter(Column::UserId.in_subquery(ids));
        delete.exec(transaction).await?;
    }
    Ok(())
}

async fn tags(transaction: &Transaction, changes: &Changes) -> Result<(), Error> {
    use tag_statistics::{Column, Entity};
    if changes.tags.is_empty() {
        return Ok(());
    }
    let table = ValuesTable::new()
        .column("tag", changes.tags.keys().cloned())
        .column("posts", changes.tags.values().copied());
    let (keys, rest) = ([Column::Tag], [Column::Posts]);
    upsert(transaction, Entity, &keys, &rest, table, Merge::Add).await?;
    let delete = Entity::delete_many().filter(Column::Posts.lte(0));
    delete.exec(transaction).await?;
    Ok(())
}

async fn votes(transaction: &Transaction, changes: &Changes) -> Result<(), Error> {
    use post_vote_days::{Column, Entity};
    let backend = transaction.get_database_backend();
    if !changes.votes.is_empty() {
        let (keys, values) = (|| changes.votes.keys(), || changes.votes.values());
        let table = ValuesTable::new()
            .column("post_id", keys().map(|(post, _)| *post))
            .column("day", keys().map(|(_, day)| *day))
            .column("added", values().map(|votes| votes.added))
            .column("removed", values().map(|votes| votes.removed));
        let (keys, rest) = (
            [Column::PostId, Column::Day],
            [Column::Added, Column::Removed],
        );
        upsert(transaction, Entity, &keys, &rest, table, Merge::Add).await?;
    }
    if !changes.deleted_posts.is_empty() {
        let ids = ValuesTable::new().column("id", changes.deleted_posts.iter().copied());
        let delete = Entity::delete_many().filter(Column::PostId.in_subquery(ids.select(backend)));
        delete.exec(transaction).await?;
    }
    if let Some((after, end)) = changes.recount {
        let delete = Entity::delete_many()
            .filter(Column::PostId.gt(after))
            .filter(Column::PostId.lte(end));
        delete.exec(transaction).await?;
        let values = [after, end, changes.next.position.get()].map(Into::into);
        let statement = Statement::from_sql_and_values(backend, recount(backend), values);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

/// Counts the votes of posts by day, as of the folded position: without those whose events are still to be
/// folded. In one statement, so that it sees one state: a vote of another transaction is in the votes and
/// in the outbox or the log, or in none of them.
fn recount(backend: DbBackend) -> String {
    let is_postgres = backend == DbBackend::Postgres;
    let day = |column: &str| {
        if is_postgres {
            format!("floor(extract(epoch FROM {column}) / 86400)::integer")
        } else {
            // Without the time, which is rounded, and whose quotient would be, before 1970.
            format!("unixepoch(substr({column}, 1, 10)) / 86400")
        }
    };
    let pending = |source: &str, condition: &str| {
        format!(
            "UNION ALL SELECT subject_id, {day},
                CASE kind WHEN 'vote.added' THEN -1 ELSE 0 END,
                CASE kind WHEN 'vote.removed' THEN -1 ELSE 0 END
            FROM {source}
            WHERE kind IN ('vote.added', 'vote.removed')
                AND subject_id > $1 AND subject_id <= $2 {condition}",
            day = day("at")
        )
    };
    let logged = pending("events", "AND position > $3");
    let in_outbox = if is_postgres {
        pending(
            "event_outbox CROSS JOIN unnest(subject_ids) AS subjects (subject_id)",
            "",
        )
    } else {
        String::new()
    };
    format!(
        "INSERT INTO post_vote_days (post_id, day, added, removed)
        SELECT post_id, day, sum(added), sum(removed)
        FROM (
            SELECT post_id, {day} AS day, 1 AS added, 0 AS removed
            FROM votes WHERE post_id > $1 AND post_id <= $2
            {logged}
            {in_outbox}
        ) AS changes
        GROUP BY post_id, day
        HAVING sum(added) <> 0 OR sum(removed) <> 0",
        day = day("created_at")
    )
}

async fn activity(transaction: &Transaction, changes: &Changes) -> Result<(), Error> {
    let backend = transaction.get_database_backend();
    if !changes.deleted_users.is_empty() {
        let ids = ValuesTable::new().column("id", changes.deleted_users.iter().copied());
        let column = user_activity::Column::UserId;
        let delete =
            user_activity::Entity::delete_many().filter(column.in_subquery(ids.select(backend)));
        delete.exec(transaction).await?;
    }
    if !changes.active.is_empty() {
        use user_activity::{Column, Entity};
        let table = ValuesTable::new()
            .column("user_id", changes.active.iter().map(|(user, _)| *user))
            .column("day", changes.active.iter().map(|(_, day)| *day));
        let keys = [Column::UserId, Column::Day];
        upsert(transaction, Entity, &keys, &[], table, Merge::Replace).await?;
    }
    if !changes.activity.is_empty() {
        use activity_days::{Column, Entity};
        let values = || changes.activity.values();
        let table = ValuesTable::new()
            .column("day", changes.activity.keys().copied())
            .column("active", values().map(|day| day.active))
            .column("last_active", values().map(|day| day.last_active));
        let (keys, rest) = ([Column::Day], [Column::Active, Column::LastActive]);
        upsert(transaction, Entity, &keys, &rest, table, Merge::Add).await?;
    }
    Ok(())
}

/// Inserts the rows of `table`, which has the columns `keys` and `rest`, or merges them with those that have
/// the same keys.
async fn upsert<E: EntityTrait + Copy>(
    transaction: &Transaction,
    entity: E,
    keys: &[E::Column],
    rest: &[E::Column],
    table: ValuesTable,
    merge: Merge,
) -> Result<(), Error> {
    let columns = || keys.iter().chain(rest).map(|column| column.into_iden());
    let values = Query::select()
        .columns(columns())
        .from_subquery(table.select(transaction.get_database_backend()), "counted")
        // Otherwise SQLite would read ON CONFLICT as a condition of a join.
        .and_where(Expr::Constant(true.into()))
        .take();
    let mut on_conflict = OnConflict::columns(keys.iter().copied());
    for column in rest {
        match merge {
            Merge::Replace => on_conflict.update_column(*column),
            Merge::Add => {
                let sum = Expr::col((entity, *column)).add(Expr::col(("excluded", *column)));
                on_conflict.value(*column, sum)
            }
        };
    }
    if rest.is_empty() {
        on_conflict.do_nothing();
    }
    let insert = Query::insert()
        .into_table(entity)
        .columns(columns())
        .select_from(values)
        .map_err(|_| Error::internal("the columns of an insert differ from those of its values"))?
        .on_conflict(on_conflict)
        .take();
    transaction.execute(&insert).await?;
    Ok(())
}
