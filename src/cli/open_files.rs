//! The limit of open files (`RLIMIT_NOFILE`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files other than the connections of clients: the database, the listener, the log, and sockets
/// that are being closed.
const RESERVED: u64 = 128;

/// Raises the limit to its maximum, and returns how many connections of clients it allows, at
/// least 1. `None` for any number.
pub(super) fn allow_connections() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let connections = current?.saturating_sub(RESERVED).max(1);
    usize::try_from(connections).ok()
}
