//! Places and turns that last for as long as the database may run a statement of theirs.

use sea_orm::{ConnectionTrait, DbBackend};
use tokio::{runtime::Handle, time::sleep};

use super::{CLIENT_CHECK, Db};

/// A place that a caller holds for a read, from [`Db::hold`] on. If it is dropped
/// without [`end`](Self::end), as when a request is cancelled, the place is free after the time for
/// which PostgreSQL may continue: 1 s.
#[derive(Debug)]
pub struct Held<P: Send + 'static> {
    place: Option<P>,
    outlives_client: bool,
}

impl Db {
    /// Holds `place` for a read, until [`Held::end`].
    #[must_use]
    pub fn hold<P: Send + 'static>(&self, place: P) -> Held<P> {
        Held::new(self.reader.get_database_backend(), place)
    }
}

impl<P: Send + 'static> Held<P> {
    fn new(backend: DbBackend, place: P) -> Self {
        Self {
            place: Some(place),
            outlives_client: outlives_client(backend),
        }
    }

    /// Frees the place, because the read has ended.
    pub fn end(mut self) {
        self.place = None;
    }
}

impl<P: Send + 'static> Drop for Held<P> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take()
            && self.outlives_client
        {
            drop_after_statement(place);
        }
    }
}

/// True if `backend` runs a statement after its client has disconnected: for up to [`CLIENT_CHECK`].
pub(super) fn outlives_client(backend: DbBackend) -> bool {
    backend != DbBackend::Sqlite
}

/// Drops `held` once PostgreSQL has ended the statement of a connection that was closed just now.
pub(super) fn drop_after_statement(held: impl Send + 'static) {
    // Without a runtime no statement can follow.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            sleep(CLIENT_CHECK).await;
            drop(held);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{task::yield_now, time::advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_place_of_a_cancelled_read_lasts_as_long_as_its_statement_may() {
        for (backend, lasts) in [(DbBackend::Postgres, true), (DbBackend::Sqlite, false)] {
            let place = Arc::new(());
            let is_free = || Arc::strong_count(&place) == 1;
            let held = || Held::new(backend, Arc::clone(&place));
            held().end();
            assert!(is_free());
            drop(held());
            // The task of the place starts its timer.
            yield_now().await;
            advance(CLIENT_CHECK / 2).await;
            assert_eq!(is_free(), !lasts);
            advance(CLIENT_CHECK / 2).await;
            yield_now().await;
            assert!(is_free());
        }
    }
}
