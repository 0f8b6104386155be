//! `acclaim migrate`

use crate::config::Config;

/// Runs `command` and prints one line a migration. The exit status is 1 when one is pending.
pub(super) async fn run(config: &Config, command: migration::Command) -> Result<u8, String> {
    let report = migration::run(&config.database, &command)
        .await
        .map_err(|error| error.to_string())?;
    print!("{report}");
    Ok(u8::from(report.pending > 0))
}
