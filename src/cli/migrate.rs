//! `acclaim migrate`

use crate::config;

/// Runs `command` and prints one line a migration. The exit status is 1 when one is pending.
pub(super) async fn run(command: migration::Command) -> Result<u8, String> {
    let database = config::load_database().map_err(|faults| faults.to_string())?;
    let report = migration::run(&database, &command)
        .await
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(u8::from(report.pending > 0))
}
