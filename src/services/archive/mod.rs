//! An archive: a file with all data of a service except sessions, to move it to another database.
//!
//! The file is NDJSON, the same for both databases. The first line is the header. A line for each row
//! follows, table by table, in the order of the primary key. The last line has the SHA-256 of all lines
//! before it. Equal data give equal files.

mod export;
mod format;
mod import;

use std::{collections::BTreeMap, fmt, io};

use serde::{Deserialize, Serialize};

pub use export::export;
pub use import::import;

use crate::db::tables::{Table, Tables, known_migrations};

/// The tables of an archive: each comes after those that it refers to. A table that the schema lacks is
/// left out.
///
/// Triggers derive the others, and jobs the statistics and the search for webhooks, except for `sessions`,
/// `refresh_tokens` and tickets, which end with the move.
pub const TABLES: [&str; 10] = [
    "users",
    "posts",
    "imported_posts",
    "votes",
    "tokens",
    "audit_log",
    "idempotency_keys",
    "events",
    "webhooks",
    "webhook_deliveries",
];
/// Each row of this table counts in `posts.votes`, by triggers.
const VOTES: &str = "votes";
/// The version of the format.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The version of the format.
    acclaim_export: u32,
    /// The last applied migration.
    schema: String,
    /// The number of rows of each table.
    tables: BTreeMap<String, u64>,
    /// The last id that was assigned in each table with such ids; 0 for none.
    sequences: BTreeMap<String, i64>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    /// SHA-256 of all lines before it, in hexadecimal.
    sha256: String,
}

/// Reports the progress to the operator.
pub trait Progress {
    /// The work begins. It has this number of rows.
    fn begin(&mut self, rows: u64);
    /// This number of rows more is done.
    fn advance(&mut self, rows: u64);
}

/// What was exported or imported.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The number of rows.
    pub rows: u64,
    /// The number of bytes, before compression.
    pub bytes: u64,
}

/// The reason why an export or import failed, for the operator. A failed import changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file and the database do not fit. Contains one sentence.
    #[error("{0}")]
    Refused(String),
    /// A line of the file is wrong.
    #[error("line {number}: {problem}")]
    Line {
        /// Its number, from 1.
        number: u64,
        /// What is wrong.
        problem: String,
    },
    /// The database refused rows.
    #[error("{lines}: the database refuses a row: {}", refusal(.cause))]
    Rows {
        /// The lines of the rows.
        lines: LineNumbers,
        /// The reason.
        cause: sqlx::Error,
    },
    /// A row of the database cannot be read.
    #[error("the row of `{table}` after {previous} others cannot be read: {cause}")]
    Read {
        /// The name of its table.
        table: &'static str,
        /// The number of rows before it, in the order of the primary key.
        previous: u64,
        /// The reason.
        cause: sqlx::Error,
    },
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Write(io::Error),
    /// A statement failed.
    #[error("a statement failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Numbers of lines, from 1.
#[derive(Debug)]
pub struct LineNumbers {
    /// Of the first.
    pub first: u64,
    /// Of the last.
    pub last: u64,
}

impl fmt::Display for LineNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last {
            write!(f, "line {first}")
        } else {
            write!(f, "lines {first} to {last}")
        }
    }
}

/// The reason of the database, without the line in PostgreSQL's source code that sqlx appends.
fn refusal(cause: &sqlx::Error) -> String {
    match cause.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => cause.to_string(),
    }
}

/// The last applied migration, if all migrations of the database are known. A newer version may have
/// added tables that this one would leave out.
fn schema(applied: &[String]) -> Result<&str, Error> {
    let known = known_migrations();
    if let Some(newer) = applied.iter().find(|name| !known.contains(name)) {
        return Err(Error::Refused(format!(
            "the database is newer than this program: it has the migration `{newer}`; run a newer acclaim"
        )));
    }
    let last = applied.last().ok_or_else(|| {
        let message = "the database has no tables of Acclaim; run `acclaim migrate up`";
        Error::Refused(message.to_owned())
    })?;
    Ok(last)
}

/// Those of [`TABLES`] that the database has.
async fn existing(database: &mut Tables) -> Result<Vec<Table>, Error> {
    let mut tables = Vec::new();
    for name in TABLES {
        tables.extend(database.table(name).await?);
    }
    Ok(tables)
}

/// A SHA-256 in hexadecimal.
fn hexadecimal(digest: aws_lc_rs::digest::Context) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in digest.finish().as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
