//! The migrations of this program beside those that a database has, and their names.

use sea_orm_migration::{
    MigrationTrait,
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

use crate::Error;

/// Names the state before the first migration.
pub(crate) const BASE: &str = "base";
/// Names the newest migration.
const HEAD: &str = "head";
/// Maximum number of names that an error lists.
const MAX_LISTED: usize = 5;

/// A migration of this program.
pub(crate) struct Entry {
    pub name: String,
    pub applied: bool,
}

impl Entry {
    /// `m20261121_000007` of `m20261121_000007_add_tags`. Unique, because the number is.
    pub fn id(&self) -> &str {
        self.split().0
    }

    /// `add tags` of `m20261121_000007_add_tags`.
    pub fn description(&self) -> String {
        self.split().1.replace('_', " ")
    }

    fn split(&self) -> (&str, &str) {
        let name = self.name.as_str();
        let end = name.match_indices('_').nth(1).map(|(end, _)| end);
        end.and_then(|end| Some((name.get(..end)?, name.get(end + 1..)?)))
            .unwrap_or((name, ""))
    }
}

/// The migrations of this program, oldest first.
pub(crate) struct History(pub Vec<Entry>);

impl History {
    /// That of the database of `db`. Fails if the database has a migration that is not in `migrations`.
    pub async fn read(
        db: &impl ConnectionTrait,
        migrations: &[Box<dyn MigrationTrait>],
    ) -> Result<Self, Error> {
        let applied = applied(db).await?;
        let history = Self::with(migrations, &applied);
        let newer = applied
            .into_iter()
            .find(|name| history.0.iter().all(|entry| entry.name != *name));
        newer.map_or(Ok(history), |name| Err(Error::Newer(name)))
    }

    /// That of a database with the migrations `applied`.
    pub fn with(migrations: &[Box<dyn MigrationTrait>], applied: &[String]) -> Self {
        let entries = migrations.iter().map(|migration| Entry {
            name: migration.name().to_owned(),
            applied: applied.iter().any(|name| name == migration.name()),
        });
        Self(entries.collect())
    }

    /// The number of migrations up to and including `name`: 0 for `base`, all for `head`.
    ///
    /// `name` can be a part of a name that no other migration has. Otherwise the error lists names.
    pub fn position(&self, name: &str) -> Result<usize, Error> {
        if name == BASE {
            return Ok(0);
        }
        if name == HEAD {
            return Ok(self.0.len());
        }
        let entries = || self.0.iter().zip(1..);
        if let Some((_, position)) = entries().find(|(entry, _)| entry.name == name) {
            return Ok(position);
        }
        let found: Vec<_> = entries()
            .filter(|(entry, _)| !name.is_empty() && entry.name.contains(name))
            .collect();
        if let [(_, position)] = found.as_slice() {
            return Ok(*position);
        }
        let mut names: Vec<_> = found.iter().map(|(entry, _)| entry.name.as_str()).collect();
        Err(Error::Name(if names.is_empty() {
            let mut ids = self.0.iter().map(Entry::id);
            let first = ids.next().unwrap_or(BASE);
            let last = ids.next_back().unwrap_or(first);
            format!(
                "no migration is called `{name}`: there are {BASE}, {first} to {last}, and {HEAD}; `migrate history` lists them"
            )
        } else {
            let more = names.len().saturating_sub(MAX_LISTED);
            names.truncate(MAX_LISTED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!(
                "`{name}` is a part of several names: {}{more}",
                names.join(", ")
            )
        }))
    }

    /// The names of the pending migrations, oldest first.
    pub fn pending(self) -> Vec<String> {
        let pending = self.0.into_iter().filter(|entry| !entry.applied);
        pending.map(|entry| entry.name).collect()
    }

    /// The newest applied migration.
    pub fn current(&self) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.applied)
    }

    /// The newest migration.
    pub fn head(&self) -> Option<&Entry> {
        self.0.last()
    }
}

/// The names that the database lists as applied.
///
/// The migrator's own query would create the table of this list if it were missing. The role of a
/// running service may lack the privilege to do so.
pub(crate) async fn applied(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let backend = db.get_database_backend();
    let table = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'",
        _ => {
            "SELECT 1 FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'seaql_migrations'"
        }
    };
    let table = Statement::from_string(backend, table);
    if db.query_one_raw(table).await?.is_none() {
        return Ok(Vec::new());
    }
    let versions = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = db.query_all_raw(Statement::from_string(backend, versions));
    rows.await?
        .iter()
        .map(|row| row.try_get("", "version"))
        .collect()
}
