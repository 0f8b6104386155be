//! The subcommands of both `migration` and `acclaim migrate`. Their docstrings are the help texts.

/// A change or a report of the schema.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Command {
    /// Apply pending migrations, oldest first
    Up {
        /// At most this many [default: all]
        #[arg(short = 'n', long = "steps", value_name = "N")]
        steps: Option<u32>,
    },
    /// Revert applied migrations, newest first
    Down {
        /// At most this many
        #[arg(short = 'n', long = "steps", value_name = "N", default_value_t = 1)]
        steps: u32,
    },
    /// Tell applied from pending migrations; exits 1 when one is pending
    Status,
    /// DROP every table, then apply all migrations
    Fresh,
    /// Revert all migrations, then apply them again
    Refresh,
    /// Revert all migrations and forget that there were any
    Reset,
}
