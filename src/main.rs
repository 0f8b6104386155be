//! The `acclaim` program.

use std::process::ExitCode;

use acclaim::cli::{self, Arguments};
use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Arguments::parse()).await
}
