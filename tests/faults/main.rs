//! Faults under load: servers and databases that are killed, stopped or frozen, networks that stop, full
//! disks and wrong clocks. After each, every acknowledged write must be in the database exactly once.
//!
//! `cargo test --test faults` runs the short form, as `.ci/run` does. `just faults` runs the full one in
//! about 25 minutes, and prints what it measured. The full form of the faults of disks needs root, to
//! mount a small file system.

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
mod outages;
mod servers;
mod soak;
mod storm;

use std::{process::ExitCode, time::Duration};

/// How long the faults last.
struct Length {
    /// The number of kills.
    kills: usize,
    /// The acknowledged writes between two faults.
    writes: usize,
    /// The time for which a database is away.
    outage: Duration,
    soak: Duration,
}

impl Length {
    fn is_full() -> bool {
        std::env::var("FAULTS").is_ok_and(|length| length == "full")
    }

    fn chosen() -> Self {
        if Self::is_full() {
            Self {
                kills: 40,
                writes: 550,
                outage: Duration::from_secs(10),
                soak: Duration::from_mins(10),
            }
        } else {
            Self {
                kills: 3,
                writes: 100,
                outage: Duration::from_secs(2),
                soak: Duration::from_secs(10),
            }
        }
    }
}

fn main() -> ExitCode {
    harness::run()
}
