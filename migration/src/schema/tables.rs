//! The parts of a schema that entities know too: columns, keys and plain indexes.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns by name, without generated ones.
    pub columns: BTreeMap<String, Column>,
    /// The columns of its primary key, in order.
    pub primary_key: Vec<String>,
    /// The columns of each unique key and of each unique index on whole columns and all rows.
    pub unique_keys: BTreeSet<Vec<String>>,
    /// The columns of each other index on whole columns and all rows.
    pub indexes: BTreeSet<Vec<String>>,
    /// Its foreign keys.
    pub foreign_keys: BTreeSet<ForeignKey>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its type in the terms of the database, in lower case.
    pub sql_type: String,
    /// True if it can be null.
    pub is_nullable: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that they refer to.
    pub table: String,
    /// Its columns.
    pub referenced: Vec<String>,
}

/// Rows of five texts: the kind of a member, its table, and three that depend on the kind.
const POSTGRES: &str = "WITH tables AS (
        SELECT oid, relname::text AS name FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
            AND relname <> 'seaql_migrations'
    )
    SELECT 'column', name, attname::text, format_type(atttypid, NULL),
        CASE WHEN attnotnull THEN '' ELSE 'null' END
    FROM tables JOIN pg_attribute ON attrelid = tables.oid
    WHERE attnum > 0 AND NOT attisdropped AND attgenerated = ''
    UNION ALL
    SELECT CASE WHEN indisprimary THEN 'primary key' WHEN indisunique THEN 'unique key' ELSE 'index' END,
        name,
        (SELECT string_agg(attname, ',' ORDER BY place)
            FROM unnest(indkey::smallint[]) WITH ORDINALITY AS keys (number, place)
                JOIN pg_attribute ON attrelid = indrelid AND attnum = number),
        '', ''
    FROM tables JOIN pg_index ON indrelid = tables.oid
    WHERE indpred IS NULL AND indexprs IS NULL
    UNION ALL
    SELECT 'foreign key', name,
        (SELECT string_agg(attname, ',' ORDER BY place)
            FROM unnest(conkey) WITH ORDINALITY AS keys (number, place)
                JOIN pg_attribute ON attrelid = conrelid AND attnum = number),
        (SELECT relname::text FROM pg_class WHERE oid = confrelid),
        (SELECT string_agg(attname, ',' ORDER BY place)
            FROM unnest(confkey) WITH ORDINALITY AS keys (number, place)
                JOIN pg_attribute ON attrelid = confrelid AND attnum = number)
    FROM tables JOIN pg_constraint ON conrelid = tables.oid
    WHERE contype = 'f'";

const SQLITE: &str = "WITH tables AS (
        SELECT name FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND name <> 'seaql_migrations'
    )
    SELECT 'column', tables.name, info.name, lower(info.type),
        CASE WHEN info.\"notnull\" <> 0 OR info.pk > 0 THEN '' ELSE 'null' END
    FROM tables, pragma_table_xinfo(tables.name) AS info
    WHERE info.hidden = 0
    UNION ALL
    SELECT 'primary key', name,
        (SELECT group_concat(name, ',') FROM
            (SELECT info.name FROM pragma_table_info(tables.name) AS info WHERE pk > 0 ORDER BY pk)),
        '', ''
    FROM tables
    UNION ALL
    SELECT CASE WHEN list.\"unique\" THEN 'unique key' ELSE 'index' END, tables.name,
        (SELECT group_concat(name, ',') FROM
            (SELECT info.name FROM pragma_index_info(list.name) AS info ORDER BY seqno)),
        '', ''
    FROM tables, pragma_index_list(tables.name) AS list
    WHERE list.partial = 0 AND list.origin <> 'pk'
    UNION ALL
    SELECT 'foreign key', tables.name, group_concat(\"from\", ','), \"table\", group_concat(\"to\", ',')
    FROM tables, pragma_foreign_key_list(tables.name) AS keys
    GROUP BY tables.name, keys.id";

/// The tables of the database or of the current schema, by name.
pub async fn read(db: &impl ConnectionTrait) -> Result<Vec<Table>, DbErr> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Postgres {
        POSTGRES
    } else {
        SQLITE
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let rows = db.query_all_raw(Statement::from_string(backend, sql));
    for row in rows.await? {
        let text = |index| {
            row.try_get_by_index::<Option<String>>(index)
                .map(Option::unwrap_or_default)
        };
        let (kind, name, first, second, third) = (text(0)?, text(1)?, text(2)?, text(3)?, text(4)?);
        let table = tables.entry(name.clone()).or_default();
        table.name = name;
        let columns = list(&first);
        match kind.as_str() {
            "column" => {
                let column = Column {
                    sql_type: second,
                    is_nullable: third == "null",
                };
                table.columns.insert(first, column);
            }
            "primary key" => table.primary_key = columns,
            "unique key" => {
                table.unique_keys.insert(columns);
            }
            "index" => {
                table.indexes.insert(columns);
            }
            _ => {
                table.foreign_keys.insert(ForeignKey {
                    columns,
                    table: second,
                    referenced: list(&third),
                });
            }
        }
    }
    Ok(tables.into_values().collect())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
