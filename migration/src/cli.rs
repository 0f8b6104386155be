//! The subcommands of both `migration` and `acclaim migrate`. Their docstrings are the help texts.

/// A command that changes the schema or lists its migrations.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Apply pending migrations, oldest first
    Up {
        /// Maximum number of migrations [default: all]
        #[arg(short = 'n', long = "steps", value_name = "N", conflicts_with = "to")]
        steps: Option<u32>,
        /// The last migration to apply: its name, a part of it such as 000015, or `head`
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
    },
    /// Revert applied migrations, newest first
    Down {
        /// Maximum number of migrations [default: 1]
        #[arg(short = 'n', long = "steps", value_name = "N", conflicts_with = "to")]
        steps: Option<u32>,
        /// The migration that becomes the newest applied one: its name, a part of it, or `base` to
        /// revert all
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
    },
    /// List applied and pending migrations; exit with 1 if any is pending
    Status,
    /// Print the newest applied migration, or `base`
    Current,
    /// Print the newest migration of this program
    Heads,
    /// List all migrations with descriptions, newest first
    History,
    /// Print the SQL that `up` would run, and change nothing
    Sql {
        /// The newest applied migration, or `base`; the database is not asked then [default: read it
        /// from the database]
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// The last migration to print, or `head`
        #[arg(long, value_name = "NAME", default_value = "head")]
        to: String,
    },
    /// DROP every table, then apply all migrations
    Fresh,
    /// Revert all migrations, then apply them again
    Refresh,
    /// Revert all migrations and drop the table that records them
    Reset,
}

impl Command {
    /// Applies all pending migrations.
    pub const UP: Self = Self::Up {
        steps: None,
        to: None,
    };
    /// Reverts the newest applied migration.
    pub const DOWN: Self = Self::Down {
        steps: None,
        to: None,
    };
}
