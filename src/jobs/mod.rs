//! Background jobs: supervised work that repeats or runs later.

mod cleanup;
mod rehash;
mod supervisor;

use tokio_util::task::LocalPoolHandle;

use crate::{
    db::Db,
    error::Error,
    services::auth::{passwords::Passwords, rehash::RehashQueue},
};
pub use supervisor::Supervisor;

/// Starts every job of the service on the current runtime.
#[must_use]
pub fn start(
    db: &Db,
    passwords: &Passwords,
    rehashes: &RehashQueue,
    refresh_lifetime: time::Duration,
) -> Supervisor {
    let supervisor = Supervisor::default();
    let (threads, cleanup_db) = (LocalPoolHandle::new(1), db.for_worker());
    let cleanup_threads = threads.clone();
    supervisor.start("cleanup", move |stop| {
        let db = cleanup_db.clone();
        pinned(&cleanup_threads, move || {
            cleanup::run(db, refresh_lifetime, stop)
        })
    });
    let (db, passwords, rehashes) = (db.for_worker(), passwords.clone(), rehashes.clone());
    supervisor.start("rehash", move |stop| {
        let (db, passwords, rehashes) = (db.clone(), passwords.clone(), rehashes.clone());
        pinned(&threads, move || rehash::run(db, passwords, rehashes, stop))
    });
    supervisor
}

/// Runs a job on a thread of `threads`: the future of `Db::write` is not `Send` yet.
fn pinned<J, F>(
    threads: &LocalPoolHandle,
    job: J,
) -> impl Future<Output = Result<(), Error>> + Send + use<J, F>
where
    J: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<(), Error>> + 'static,
{
    let task = threads.spawn_pinned(job);
    async { task.await.map_err(|error| Error::Internal(error.into()))? }
}
