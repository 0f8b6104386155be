//! The process, as the operating system sees it.
//!
//! Read here and not by a crate such as `procfs`: these are five numbers, of which `rustix`, which the
//! service uses anyway, gives two.

use std::{fmt, fs, time::SystemTime};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Unit};
use rustix::{
    param::page_size,
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use super::{counter, gauge};

/// Reads the numbers at each scrape. Memory and open files need `/proc` and are left out without it.
#[derive(Debug)]
pub(super) struct Process {
    pub started: SystemTime,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a float has 53 bits of precision"
        )]
        let seconds = |seconds: i64, nanoseconds: i64| seconds as f64 + nanoseconds as f64 / 1e9;
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = seconds(used.tv_sec, used.tv_nsec);
        let help = "Processor time of the process";
        counter(encoder, "process_cpu", help, Some(&Unit::Seconds), used)?;
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH);
        let started = started.unwrap_or_default().as_secs_f64();
        let help = "Start of the process, in Unix time";
        gauge(
            encoder,
            "process_start_time",
            help,
            Some(&Unit::Seconds),
            started,
        )?;
        if let Some(bytes) = resident() {
            let help = "Memory of the process that is not swapped out";
            gauge(
                encoder,
                "process_resident_memory",
                help,
                Some(&Unit::Bytes),
                bytes,
            )?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is that of this list.
            let open = files.count().saturating_sub(1);
            gauge(
                encoder,
                "process_open_fds",
                "Open files and sockets",
                None,
                open as u64,
            )?;
        }
        if let Some(max) = getrlimit(Resource::Nofile).current {
            let help = "Maximum number of open files and sockets";
            gauge(encoder, "process_max_fds", help, None, max)?;
        }
        Ok(())
    }
}

fn resident() -> Option<u64> {
    let sizes = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}
