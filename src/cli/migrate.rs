//! `acclaim migrate`

use crate::config;

/// Runs `command` and prints one line per migration. The exit code is 1 if `status` finds a pending
/// migration.
pub(super) async fn run(command: migration::Command) -> Result<u8, String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    let report = migration::run(&database, &command)
        .await
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(u8::from(report.pending > 0))
}
