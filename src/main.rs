//! The `acclaim` program.

use std::process::ExitCode;

use acclaim::cli::{self, Arguments};
use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // mimalloc asks for huge pages, which take more memory and gain nothing: see decision 42.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    cli::run(Arguments::parse()).await
}
