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

/// Runs `acclaim` on the fixture's database, with the role that serves.
pub async fn acclaim(fixture: &Fixture, arguments: &[&str]) -> Ended {
    run_on(&fixture.url, fixture, arguments).await
}

/// Runs `acclaim` on the fixture's database, with the role that owns it.
pub async fn as_owner(fixture: &Fixture, arguments: &[&str]) -> Ended {
    run_on(&fixture.owner_url, fixture, arguments).await
}

async fn run_on(url: &str, fixture: &Fixture, arguments: &[&str]) -> Ended {
    run(fixture.folder(), arguments, &[("DATABASE_URL", url)]).await
}
