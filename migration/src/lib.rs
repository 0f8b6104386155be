//! The schema of Acclaim: one migration per file, each with `up` and `down`, and the runner that
//! applies them.
//!
//! A landed migration never changes. Migrations write table and column names as literals and import
//! nothing that can change later: no entity, and of this crate only `dialect` and numbered, frozen
//! files such as `unicode61_v1`.
//!
//! `cargo run -- migrate generate NAME` adds a migration: it writes the file and both lines of this
//! one. CONTRIBUTING.md explains how to change a trigger or a function.

pub use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

mod change;
mod cli;
mod database;
pub mod dialect;
pub mod generate;
mod grants;
mod history;
mod m20261121_000001_create_users;
mod m20261121_000002_create_posts;
mod m20261121_000003_create_votes;
mod m20261121_000004_create_sessions;
mod m20261121_000005_create_tokens;
mod m20261121_000006_add_roles;
mod m20261121_000007_add_tags;
mod m20261121_000008_add_ranks;
mod m20261121_000009_add_search;
mod m20261121_000010_add_versions;
mod m20261121_000011_speed_up_votes;
mod m20261126_000012_bound_search_text;
mod m20261126_000013_add_account_removal;
mod m20261126_000014_add_parents_of_refresh_tokens;
mod m20261126_000015_merge_new_words;
mod m20261126_000016_add_scopes_of_sessions;
mod m20261126_000017_create_idempotency_keys;
mod m20261126_000018_add_external_ids_and_metadata;
mod m20261127_000019_create_imported_posts;
mod m20261127_000020_rank_new_posts_together;
mod m20261127_000021_create_events;
mod m20261127_000022_create_statistics;
mod m20261128_000023_create_webhooks;
mod runner;
pub mod schema;
mod script;
mod servers;
mod session;
mod support;
pub mod unicode61_v1;

pub use cli::Command;
pub use database::Database;
pub use grants::{Grants, InsertRole, Rights, Role, grants, rights_to_serve};
pub use runner::{Error, Report, names, pending, run, run_list};
pub use servers::Servers;
pub use session::{Opened, Session};
/// The character table of the current search index. The service splits search terms with it.
pub use unicode61_v1 as unicode61;

/// All migrations, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_users::Migration),
            Box::new(m20261121_000002_create_posts::Migration),
            Box::new(m20261121_000003_create_votes::Migration),
            Box::new(m20261121_000004_create_sessions::Migration),
            Box::new(m20261121_000005_create_tokens::Migration),
            Box::new(m20261121_000006_add_roles::Migration),
            Box::new(m20261121_000007_add_tags::Migration),
            Box::new(m20261121_000008_add_ranks::Migration),
            Box::new(m20261121_000009_add_search::Migration),
            Box::new(m20261121_000010_add_versions::Migration),
            Box::new(m20261121_000011_speed_up_votes::Migration),
            Box::new(m20261126_000012_bound_search_text::Migration),
            Box::new(m20261126_000013_add_account_removal::Migration),
            Box::new(m20261126_000014_add_parents_of_refresh_tokens::Migration),
            Box::new(m20261126_000015_merge_new_words::Migration),
            Box::new(m20261126_000016_add_scopes_of_sessions::Migration),
            Box::new(m20261126_000017_create_idempotency_keys::Migration),
            Box::new(m20261126_000018_add_external_ids_and_metadata::Migration),
            Box::new(m20261127_000019_create_imported_posts::Migration),
            Box::new(m20261127_000020_rank_new_posts_together::Migration),
            Box::new(m20261127_000021_create_events::Migration),
            Box::new(m20261127_000022_create_statistics::Migration),
            Box::new(m20261128_000023_create_webhooks::Migration),
        ]
    }
}
