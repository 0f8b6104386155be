//! The notifications of `sd_notify(3)`.

use std::{
    env, io,
    sync::{
        LazyLock,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use sd_notify::NotifyState;

/// Maximum number of notifications that wait for systemd.
const QUEUE: usize = 8;

/// Tells systemd `state`. Does nothing if systemd did not start the service with `Type=notify`.
///
/// Does not wait. Sending blocks while systemd does not empty its socket, so a thread does it.
pub fn tell(state: NotifyState<'static>) {
    static QUEUED: LazyLock<Option<SyncSender<NotifyState<'static>>>> = LazyLock::new(start);
    if let Some(queued) = &*QUEUED
        && queued.try_send(state).is_err()
    {
        tracing::warn!("systemd does not take the state of the service");
    }
}

/// Starts the thread, if there is a socket.
fn start() -> Option<SyncSender<NotifyState<'static>>> {
    env::var_os("NOTIFY_SOCKET")?;
    let (queued, states) = sync_channel(QUEUE);
    let send = move || {
        for state in states {
            if let Err(error) = sd_notify::notify(&[state]) {
                warn(&error);
            }
        }
    };
    let thread = thread::Builder::new()
        .name("systemd".to_owned())
        .spawn(send);
    thread.inspect_err(warn).ok()?;
    Some(queued)
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "systemd cannot be told the state of the service");
}
