//! The difference between the tables of the migrations and those of the entities.

use std::fmt;

use migration::schema::{Column, ForeignKey, Table};

/// A change that makes the migrations agree with the entities.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// Name of the table.
    pub table: &'a str,
    pub kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    AddTable(&'a Table),
    DropTable(&'a Table),
    AddColumn(&'a str, &'a Column),
    DropColumn(&'a str, &'a Column),
    /// The column in the migrations, then in the entity.
    ChangeColumn(&'a str, &'a Column, &'a Column),
    /// The keys in the migrations, then in the entity.
    ChangePrimaryKey(&'a [String], &'a [String]),
    AddIndex(&'a [String], Uniqueness),
    DropIndex(&'a [String], Uniqueness),
    AddForeignKey(&'a ForeignKey),
    DropForeignKey(&'a ForeignKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uniqueness {
    Unique,
    Any,
}

/// The changes from the tables of the migrations to those of the entities.
///
/// An index that no entity declares is no difference: entities can express neither parts of a table nor
/// expressions nor the order of an index. Checks, defaults and triggers are in the migrations only.
pub(super) fn between<'a>(migrated: &'a [Table], entities: &'a [Table]) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for entity in entities {
        match migrated.iter().find(|table| table.name == entity.name) {
            None => changes.push(Change {
                table: &entity.name,
                kind: Kind::AddTable(entity),
            }),
            Some(table) => {
                let kinds = in_table(table, entity).into_iter();
                changes.extend(kinds.map(|kind| Change {
                    table: &entity.name,
                    kind,
                }));
            }
        }
    }
    let has_entity = |table: &&Table| entities.iter().any(|entity| entity.name == table.name);
    let dropped = migrated.iter().filter(|table| !has_entity(table));
    changes.extend(dropped.map(|table| Change {
        table: &table.name,
        kind: Kind::DropTable(table),
    }));
    changes
}

fn in_table<'a>(table: &'a Table, entity: &'a Table) -> Vec<Kind<'a>> {
    let mut kinds = Vec::new();
    for (name, column) in &entity.columns {
        match table.columns.get(name) {
            None => kinds.push(Kind::AddColumn(name, column)),
            Some(other) if other != column => {
                kinds.push(Kind::ChangeColumn(name, other, column));
            }
            Some(_) => {}
        }
    }
    if table.primary_key != entity.primary_key {
        let (before, after) = (&table.primary_key, &entity.primary_key);
        kinds.push(Kind::ChangePrimaryKey(before, after));
    }
    let unique = Uniqueness::Unique;
    for columns in entity.unique_keys.difference(&table.unique_keys) {
        kinds.push(Kind::AddIndex(columns, unique));
    }
    for columns in entity.indexes.difference(&table.indexes) {
        kinds.push(Kind::AddIndex(columns, Uniqueness::Any));
    }
    for key in entity.foreign_keys.difference(&table.foreign_keys) {
        kinds.push(Kind::AddForeignKey(key));
    }
    for key in table.foreign_keys.difference(&entity.foreign_keys) {
        kinds.push(Kind::DropForeignKey(key));
    }
    for columns in table.unique_keys.difference(&entity.unique_keys) {
        kinds.push(Kind::DropIndex(columns, unique));
    }
    let dropped = table.columns.iter();
    let dropped = dropped.filter(|(name, _)| !entity.columns.contains_key(*name));
    kinds.extend(dropped.map(|(name, column)| Kind::DropColumn(name, column)));
    kinds
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table;
        match &self.kind {
            Kind::AddTable(_) => write!(f, "table {table} has an entity, but no migration"),
            Kind::DropTable(_) => write!(f, "table {table} has a migration, but no entity"),
            Kind::AddColumn(name, _) => {
                write!(
                    f,
                    "column {table}.{name} is in the entity, but in no migration"
                )
            }
            Kind::DropColumn(name, _) => {
                write!(
                    f,
                    "column {table}.{name} is in a migration, but not in the entity"
                )
            }
            Kind::ChangeColumn(name, before, after) => write!(
                f,
                "column {table}.{name} is `{}` in the entity, but `{}` in the migrations",
                shown(after),
                shown(before)
            ),
            Kind::ChangePrimaryKey(before, after) => write!(
                f,
                "primary key of {table} is ({}) in the entity, but ({}) in the migrations",
                after.join(", "),
                before.join(", ")
            ),
            Kind::AddIndex(columns, kind) => write!(
                f,
                "{} of {table} on ({}) is in the entity, but in no migration",
                noun(*kind),
                columns.join(", ")
            ),
            Kind::DropIndex(columns, kind) => write!(
                f,
                "{} of {table} on ({}) is in a migration, but not in the entity",
                noun(*kind),
                columns.join(", ")
            ),
            Kind::AddForeignKey(key) => write!(
                f,
                "foreign key of {table} on ({}) to {} is in the entity, but in no migration",
                key.columns.join(", "),
                key.table
            ),
            Kind::DropForeignKey(key) => write!(
                f,
                "foreign key of {table} on ({}) to {} is in a migration, but not in the entity",
                key.columns.join(", "),
                key.table
            ),
        }
    }
}

fn noun(kind: Uniqueness) -> &'static str {
    match kind {
        Uniqueness::Unique => "unique key",
        Uniqueness::Any => "index",
    }
}

fn shown(column: &Column) -> String {
    let suffix = if column.is_nullable { "" } else { " NOT NULL" };
    format!("{}{suffix}", column.sql_type)
}
