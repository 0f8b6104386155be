//! The command line.

mod archive;
mod backup;
mod doctor;
mod health;
mod migrate;
mod restore;
mod token;
mod unusable_database;
mod user;

use crate::harness::{
    Fixture,
    process::{Ended, run},
};

/// Runs `acclaim` on the fixture's database.
pub async fn acclaim(fixture: &Fixture, arguments: &[&str]) -> Ended {
    run(
        fixture.folder(),
        arguments,
        &[("DATABASE_URL", &fixture.url)],
    )
    .await
}
