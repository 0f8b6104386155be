//! The subcommands of both `migration` and `acclaim migrate`. Their docstrings are the help texts.

/// A command that changes the schema or lists its migrations.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Command {
    /// Apply pending migrations, oldest first
    Up {
        /// Maximum number of migrations [default: all]
        #[arg(short = 'n', long = "steps", value_name = "N")]
        steps: Option<u32>,
    },
    /// Revert applied migrations, newest first
    Down {
        /// Maximum number of migrations
        #[arg(short = 'n', long = "steps", value_name = "N", default_value_t = 1)]
        steps: u32,
    },
    /// List applied and pending migrations; exit with 1 if any is pending
    Status,
    /// DROP every table, then apply all migrations
    Fresh,
    /// Revert all migrations, then apply them again
    Refresh,
    /// Revert all migrations and drop the table that records them
    Reset,
}
