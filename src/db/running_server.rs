//! Connections to one running server, and to no other at the same address: not to another one behind a
//! load balancer, and not to the same one after a restart.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{DbBackend, Statement};

use super::connection::Connection;

const STARTED: &str = "SELECT pg_postmaster_start_time()::text";

/// The server that a pool may use. It may become another one.
#[derive(Debug, Default)]
pub(super) struct RunningServer(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The start of the server. It identifies the server: no two servers start in the same microsecond.
    started: String,
    changes: u64,
}

impl RunningServer {
    pub(super) fn set(&self, started: String) {
        let mut known = self.known();
        if known.started != started {
            known.started = started;
            known.changes += 1;
        }
    }

    pub(super) fn started(&self) -> String {
        self.known().started.clone()
    }

    /// The number of times that it became another one. A connection from before is to another server.
    pub(super) fn changes(&self) -> u64 {
        self.known().changes
    }

    /// Fails if `connection` is to another server.
    pub(super) async fn check(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let statement = Statement::from_string(DbBackend::Postgres, STARTED);
        let rows = connection.rows(&statement).await?;
        let started = rows.first().map(|row| row.try_get_by_index::<String>(0));
        if matches!(started, Some(Ok(started)) if started == self.known().started) {
            return Ok(());
        }
        let message = "another server answers than the one whose position is known";
        Err(io::Error::new(io::ErrorKind::NotConnected, message).into())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
