//! Drafts a migration from the changes between the migrations and the entities.

use std::fmt;

use migration::schema::{Column, ForeignKey, Table};
use sea_orm::DbBackend;

use super::changes::{self, Change, Kind, Uniqueness};

/// A drafted migration.
#[derive(Debug)]
pub struct Draft {
    /// What it changes, one per line.
    pub differences: Vec<String>,
    /// Its statements on PostgreSQL.
    pub postgres: Statements,
    /// Its statements on SQLite.
    pub sqlite: Statements,
}

/// The statements of a migration for one database.
#[derive(Debug, Default)]
pub struct Statements {
    /// Those that apply it.
    pub up: Vec<String>,
    /// Those that revert it.
    pub down: Vec<String>,
}

impl Draft {
    /// The migration from the tables `migrated` to those of `entities`; `None` if they agree. Both have the
    /// types of SQLite.
    #[must_use]
    pub fn between(migrated: &[Table], entities: &[Table]) -> Option<Self> {
        let changes = changes::between(migrated, entities);
        (!changes.is_empty()).then(|| Self {
            differences: changes.iter().map(ToString::to_string).collect(),
            postgres: statements(&changes, DbBackend::Postgres),
            sqlite: statements(&changes, DbBackend::Sqlite),
        })
    }
}

impl fmt::Display for Draft {
    /// The source of the migration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

// REVIEW THIS DRAFT: it has neither checks nor triggers, a renamed column is dropped and added, and the
// default of a column without NULL is a guess for existing rows.
#[async_trait::async_trait]
impl MigrationTrait for Migration {{
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
{}    }}

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {{
{}    }}
}}
",
            body(&self.postgres.up, &self.sqlite.up),
            body(&self.postgres.down, &self.sqlite.down)
        )
    }
}

/// The body of `up` or `down`.
fn body(postgres: &[String], sqlite: &[String]) -> String {
    if postgres == sqlite {
        return call(postgres, "        ");
    }
    format!(
        "        if dialect::is_postgres(manager) {{\n{}        }} else {{\n{}        }}\n",
        call(postgres, "            "),
        call(sqlite, "            ")
    )
}

fn call(statements: &[String], indent: &str) -> String {
    let mut lines = vec![
        "dialect::execute(".to_owned(),
        "    manager,".to_owned(),
        "    [".to_owned(),
    ];
    for statement in statements {
        let statement = statement.replace('\\', "\\\\").replace('"', "\\\"");
        let statement = statement.replace('\n', &format!("\n{indent}        "));
        lines.push(format!("        \"{statement}\","));
    }
    lines.extend(["    ],", ")", ".await"].map(str::to_owned));
    let lines = lines.iter().map(|line| format!("{indent}{line}\n"));
    lines.collect()
}

fn statements(changes: &[Change], backend: DbBackend) -> Statements {
    let mut all = Statements::default();
    for change in changes {
        let one = of(change, backend);
        all.up.extend(one.up);
        // What was made last is removed first.
        all.down.splice(0..0, one.down);
    }
    all
}

fn of(change: &Change, backend: DbBackend) -> Statements {
    let table = change.table;
    let one = |up: String, down: String| Statements {
        up: vec![up],
        down: vec![down],
    };
    match &change.kind {
        Kind::AddTable(entity) => Statements {
            up: create(entity, backend),
            down: vec![format!("DROP TABLE {table}")],
        },
        Kind::DropTable(old) => Statements {
            up: vec![format!("DROP TABLE {table}")],
            down: create(old, backend),
        },
        Kind::AddColumn(name, column) => one(
            add_column(table, name, column, backend),
            format!("ALTER TABLE {table} DROP COLUMN {name}"),
        ),
        Kind::DropColumn(name, column) => one(
            format!("ALTER TABLE {table} DROP COLUMN {name}"),
            add_column(table, name, column, backend),
        ),
        Kind::AddIndex(columns, kind) => one(
            create_index(table, columns, *kind),
            format!("DROP INDEX {}", index_name(table, columns, *kind)),
        ),
        Kind::DropIndex(columns, kind) => one(
            format!("DROP INDEX {}", index_name(table, columns, *kind)),
            create_index(table, columns, *kind),
        ),
        _ if backend == DbBackend::Sqlite => {
            let rebuild = format!("REBUILD {table}: SQLite cannot change this in place");
            one(rebuild.clone(), rebuild)
        }
        Kind::AddForeignKey(key) => {
            let name = foreign_key_name(table, key);
            one(
                format!("ALTER TABLE {table} ADD {}", foreign_key(table, key)),
                format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
            )
        }
        Kind::DropForeignKey(key) => {
            let name = foreign_key_name(table, key);
            one(
                format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
                format!("ALTER TABLE {table} ADD {}", foreign_key(table, key)),
            )
        }
        Kind::ChangeColumn(name, before, after) => Statements {
            up: alter_column(table, name, before, after),
            down: alter_column(table, name, after, before),
        },
        Kind::ChangePrimaryKey(before, after) => {
            let change = |key: &[String]| {
                let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey");
                let columns = key.join(", ");
                format!("{drop},\n    ADD CONSTRAINT {table}_pkey PRIMARY KEY ({columns})")
            };
            one(change(after), change(before))
        }
    }
}

fn create(table: &Table, backend: DbBackend) -> Vec<String> {
    let name = &table.name;
    let mut lines = Vec::new();
    let mut has_key = false;
    for (column, definition) in &table.columns {
        // SQLite numbers the rows of such a table.
        if definition.sql_type == "integer" && table.primary_key == [column.as_str()] {
            has_key = true;
            let id = match backend {
                DbBackend::Postgres => "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                _ => "integer PRIMARY KEY AUTOINCREMENT",
            };
            lines.insert(0, format!("{column} {id}"));
            continue;
        }
        let not_null = if definition.is_nullable {
            ""
        } else {
            " NOT NULL"
        };
        lines.push(format!(
            "{column} {}{not_null}",
            sql_type(definition, backend)
        ));
    }
    if !has_key {
        let columns = table.primary_key.join(", ");
        lines.push(format!("CONSTRAINT {name}_pkey PRIMARY KEY ({columns})"));
    }
    for columns in &table.unique_keys {
        let key = index_name(name, columns, Uniqueness::Unique);
        lines.push(format!("CONSTRAINT {key} UNIQUE ({})", columns.join(", ")));
    }
    let foreign_keys = table.foreign_keys.iter();
    lines.extend(foreign_keys.map(|key| foreign_key(name, key)));
    let mut statements = vec![format!(
        "CREATE TABLE {name} (\n    {}\n)",
        lines.join(",\n    ")
    )];
    for columns in &table.indexes {
        statements.push(create_index(name, columns, Uniqueness::Any));
    }
    statements
}

fn add_column(table: &str, name: &str, column: &Column, backend: DbBackend) -> String {
    let sql_type = sql_type(column, backend);
    if column.is_nullable {
        return format!("ALTER TABLE {table} ADD COLUMN {name} {sql_type}");
    }
    let default = match sql_type {
        "bigint" | "integer" | "smallint" => "0",
        "boolean" => "false",
        "text" => "''",
        _ => "'1970-01-01 00:00:00+00:00'",
    };
    format!("ALTER TABLE {table} ADD COLUMN {name} {sql_type} NOT NULL DEFAULT {default}")
}

fn alter_column(table: &str, name: &str, before: &Column, after: &Column) -> Vec<String> {
    let mut statements = Vec::new();
    let change = format!("ALTER TABLE {table} ALTER COLUMN {name}");
    if before.sql_type != after.sql_type {
        let sql_type = sql_type(after, DbBackend::Postgres);
        statements.push(format!("{change} TYPE {sql_type} USING {name}::{sql_type}"));
    }
    match (before.is_nullable, after.is_nullable) {
        (false, true) => statements.push(format!("{change} DROP NOT NULL")),
        (true, false) => statements.push(format!("{change} SET NOT NULL")),
        _ => {}
    }
    statements
}

fn create_index(table: &str, columns: &[String], kind: Uniqueness) -> String {
    let unique = match kind {
        Uniqueness::Unique => "UNIQUE ",
        Uniqueness::Any => "",
    };
    let name = index_name(table, columns, kind);
    format!(
        "CREATE {unique}INDEX {name} ON {table} ({})",
        columns.join(", ")
    )
}

fn index_name(table: &str, columns: &[String], kind: Uniqueness) -> String {
    let suffix = match kind {
        Uniqueness::Unique => "key",
        Uniqueness::Any => "idx",
    };
    format!("{table}_{}_{suffix}", columns.join("_"))
}

fn foreign_key_name(table: &str, key: &ForeignKey) -> String {
    format!("{table}_{}_fkey", key.columns.join("_"))
}

fn foreign_key(table: &str, key: &ForeignKey) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({})\n        REFERENCES {} ({}) ON DELETE CASCADE",
        foreign_key_name(table, key),
        key.columns.join(", "),
        key.table,
        key.referenced.join(", ")
    )
}

/// The type on `backend` of a column that has a type of SQLite.
fn sql_type(column: &Column, backend: DbBackend) -> &str {
    match column.sql_type.as_str() {
        "timestamp_with_timezone_text" if backend == DbBackend::Postgres => {
            "timestamp with time zone"
        }
        other => other,
    }
}
