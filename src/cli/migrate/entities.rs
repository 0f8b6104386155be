//! The tables that the entities describe.

use migration::schema::{Column, ForeignKey, Table};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, PrimaryKeyTrait,
    Schema,
    sea_query::{ColumnType, TableName, TableRef},
};

/// All entities as tables of `backend`.
#[must_use]
pub fn tables(backend: DbBackend) -> Vec<Table> {
    use entity::{
        activity_days, audit_log, event_outbox, event_tickets, events, idempotency_keys,
        imported_posts, personal_tokens, post_statistics, post_tags, post_vote_days, posts, ranks,
        refresh_tokens, sessions, statistics, tag_statistics, user_activity, user_statistics,
        users, votes, webhook_deliveries, webhook_progress, webhooks,
    };
    let mut tables = vec![
        table(activity_days::Entity, backend),
        table(audit_log::Entity, backend),
        table(event_tickets::Entity, backend),
        table(events::Entity, backend),
        table(idempotency_keys::Entity, backend),
        table(imported_posts::Entity, backend),
        table(personal_tokens::Entity, backend),
        table(post_statistics::Entity, backend),
        table(post_tags::Entity, backend),
        table(post_vote_days::Entity, backend),
        table(posts::Entity, backend),
        table(ranks::Entity, backend),
        table(refresh_tokens::Entity, backend),
        table(sessions::Entity, backend),
        table(statistics::Entity, backend),
        table(tag_statistics::Entity, backend),
        table(user_activity::Entity, backend),
        table(user_statistics::Entity, backend),
        table(users::Entity, backend),
        table(votes::Entity, backend),
        table(webhook_deliveries::Entity, backend),
        table(webhook_progress::Entity, backend),
        table(webhooks::Entity, backend),
    ];
    if backend == DbBackend::Postgres {
        tables.push(table(event_outbox::Entity, backend));
    }
    tables
}

/// An entity as a table of `backend`.
#[must_use]
pub fn table<E: EntityTrait>(entity: E, backend: DbBackend) -> Table {
    let schema = Schema::new(backend);
    let keys = E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned());
    let mut table = Table {
        name: entity.table_name().to_owned(),
        primary_key: keys.collect(),
        ..Table::default()
    };
    for column in E::Column::iter() {
        let name = column.as_str().to_owned();
        let definition = schema.get_column_def::<E>(column);
        let specification = definition.get_column_spec();
        if specification.unique {
            table.unique_keys.insert(vec![name.clone()]);
        }
        let is_numbered = E::PrimaryKey::auto_increment() && table.primary_key == [name.as_str()];
        let column = Column {
            sql_type: if is_numbered && backend == DbBackend::Sqlite {
                "integer".to_owned()
            } else {
                sql_type(column.def().get_column_type(), backend)
            },
            is_nullable: specification.nullable != Some(false),
        };
        table.columns.insert(name, column);
    }
    for index in schema.create_index_from_entity(entity) {
        let columns = index.get_index_spec().get_column_names();
        if index.is_unique_key() {
            table.unique_keys.insert(columns);
        } else {
            table.indexes.insert(columns);
        }
    }
    let statement = schema.create_table_from_entity(entity);
    for key in statement.get_foreign_key_create_stmts() {
        let key = key.get_foreign_key();
        let referenced = match key.get_ref_table() {
            Some(TableRef::Table(TableName(_, name), _)) => name.to_string(),
            _ => String::new(),
        };
        table.foreign_keys.insert(ForeignKey {
            columns: key.get_columns(),
            table: referenced,
            referenced: key.get_ref_columns(),
        });
    }
    table
}

/// The name that the catalogue of `backend` has for a type. Other types have their name in SeaORM, so that
/// they differ from those of the catalogue.
fn sql_type(column_type: &ColumnType, backend: DbBackend) -> String {
    match column_type {
        ColumnType::BigInteger => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::SmallInteger => "smallint",
        ColumnType::Text => "text",
        ColumnType::Boolean => "boolean",
        ColumnType::TimestampWithTimeZone if backend == DbBackend::Postgres => {
            "timestamp with time zone"
        }
        ColumnType::TimestampWithTimeZone => "timestamp_with_timezone_text",
        ColumnType::Array(items) => return format!("{}[]", sql_type(items, backend)),
        other => return format!("{other:?}"),
    }
    .to_owned()
}
