//! Tells systemd that the workers answer, if the unit has `WatchdogSec=`.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use sd_notify::NotifyState;
use tokio::time::sleep;

use super::Supervisor;
use crate::{
    http::{Drain, health_check},
    systemd,
};

/// The pause after a failed check. systemd kills the service if none succeeds in time.
const RETRY: Duration = Duration::from_secs(1);

/// Starts the job for the server at `address`. Does nothing if systemd expects no sign of life.
pub fn start(supervisor: &Supervisor, drain: &Drain, address: SocketAddr, workers: usize) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let watched = Watched {
        authority: health_check::local(address).to_string(),
        workers,
        drain: drain.clone(),
    };
    supervisor.start("watchdog", move |stop, _| {
        let watched = watched.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                never = watched.watch(limit / 2) => match never {},
            }
        }
    });
}

/// A server of this process.
#[derive(Clone)]
struct Watched {
    authority: String,
    workers: usize,
    drain: Drain,
}

impl Watched {
    async fn watch(&self, period: Duration) -> Infallible {
        loop {
            let pause = match self.check().await {
                Ok(()) => period,
                Err(error) => {
                    tracing::warn!(error, "the server does not answer its own requests");
                    RETRY
                }
            };
            sleep(pause).await;
        }
    }

    async fn check(&self) -> Result<(), String> {
        // Connections go to the workers in turn. With other connections in between, a worker may get
        // two checks and another none.
        for _ in 0..self.workers {
            // A stopping server accepts no connection, and has its own time limits.
            if !self.drain.is_stopping() {
                health_check::reach(&self.authority, "/health/live").await?;
            }
        }
        systemd::tell(NotifyState::Watchdog);
        Ok(())
    }
}
