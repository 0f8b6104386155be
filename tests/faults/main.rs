//! Faults under load: servers and databases that are killed, stopped or frozen, networks that stop, full
//! disks, read-only files and wrong clocks. After each, every acknowledged write must be in the database
//! exactly once.
//!
//! `cargo test --test faults` runs the short form, as `.ci/run` does. `just faults` runs the full one in
//! about 30 minutes, prints what it measured, and fails if a figure is worse than promised. `SOAK=3600`
//! sets the length of the soak, in seconds. The full form of the faults of disks needs root, to mount a
//! small file system and to make files immutable.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

#[path = "../api/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with `tests/api`, which uses all of it"
)]
mod harness;

mod clock;
mod disk;
mod kills;
mod network;
mod outages;
mod servers;
mod soak;
mod statistics;
mod storm;
mod webhooks;

use std::{fmt::Debug, process::ExitCode, time::Duration};

/// How long the faults last.
struct Length {
    /// The number of kills.
    kills: usize,
    /// The acknowledged writes between two faults.
    writes: usize,
    /// The time for which a database or a network is away.
    outage: Duration,
    soak: Duration,
}

impl Length {
    fn is_full() -> bool {
        std::env::var("FAULTS").is_ok_and(|length| length == "full")
    }

    fn chosen() -> Self {
        let (kills, writes, outage, soak) = if Self::is_full() {
            (40, 550, 10, 600)
        } else {
            (3, 100, 2, 10)
        };
        let given = std::env::var("SOAK").map(|seconds| seconds.parse().expect("not a number"));
        Self {
            kills,
            writes,
            outage: Duration::from_secs(outage),
            soak: Duration::from_secs(given.unwrap_or(soak)),
        }
    }
}

/// Fails if `measured` is more than `limit`. Only in the full form: a figure of a machine that does other
/// work, or of a debug build, tells nothing.
fn at_most<T: Copy + PartialOrd + Debug>(measured: T, limit: T, name: &str) {
    if Length::is_full() {
        assert!(
            measured <= limit,
            "{name}: {measured:?}, more than {limit:?}"
        );
    }
}

fn main() -> ExitCode {
    harness::run()
}
