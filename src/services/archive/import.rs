//! Reads an archive into an empty database, in one transaction and constant memory.

use std::{
    collections::BTreeSet,
    io::{BufRead, Read},
    mem::take,
};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value as Json};

use super::{
    Error, Header, LineNumbers, Progress, Summary, Trailer, VERSION, VOTES, existing,
    format::read_row, hexadecimal, schema,
};
use crate::db::tables::{Table, Tables, Value, is_locked, known_migrations};

/// Maximum length of a line in bytes. The longest is a stored answer to a bulk write of 1,000 rows, less than
/// 1.7 MB. Parsed, a line takes up to 20 times as much memory.
const MAX_LINE: u64 = 2 * 1024 * 1024;
/// Highest last id of a sequence: JavaScript's highest exact integer. From there, the next ids would have
/// other values in some clients.
const MAX_ID: i64 = (1 << 53) - 1;
/// Rows that are inserted at once.
const ROWS: usize = 1_000;
/// Length of lines that are inserted at once, in bytes.
const BYTES: usize = 1024 * 1024;
/// The names of the triggers that write to the log, as a pattern.
const EVENTS: &str = "%_events_%";
/// The job of the statistics counts what exists.
const COUNT_ANEW: &str =
    "UPDATE statistics SET phase = 1, phase_after = 0, revision = revision + 1";
/// A post whose votes are not counted right.
const MISCOUNTED: &str = "SELECT min(posts.id) FROM posts \
    LEFT JOIN (SELECT post_id, count(*) AS votes FROM votes GROUP BY post_id) AS counted \
        ON counted.post_id = posts.id \
    WHERE posts.votes <> coalesce(counted.votes, 0)";

/// Reads all data from `input` into `database`, which has no transaction, and commits them once
/// everything is checked.
///
/// # Errors
/// If the database is not empty or has another schema, or if the file is damaged or incomplete.
/// Nothing is changed then.
pub async fn import(
    database: &mut Tables,
    input: &mut dyn BufRead,
    progress: &mut dyn Progress,
) -> Result<Summary, Error> {
    let mut lines = Lines::new(input);
    let header = lines.header()?;
    // Before the transaction that writes: without the tables there is nothing to lock.
    database.begin_snapshot().await?;
    let tables = existing(database).await?;
    has_schema(&database.migrations().await?, &header.schema)?;
    database.rollback().await?;
    begin(database, &tables).await?;
    has_schema(&database.migrations().await?, &header.schema)?;
    fits(&header, &tables)?;
    for table in &tables {
        if !database.is_empty(table).await? {
            return Err(Error::Refused(format!(
                "the database has rows in `{}`; an import needs an empty database",
                table.name
            )));
        }
    }
    let rows = header.tables.values().copied().fold(0, u64::saturating_add);
    progress.begin(rows);
    let mut suspended = Vec::new();
    for table in &tables {
        // The posts have their counts already. They are checked below. The file has the events.
        let names = if table.name == VOTES { "%" } else { EVENTS };
        suspended.push(database.suspend_triggers(table, names).await?);
    }
    let mut import = Import {
        database,
        lines,
        progress,
    };
    import.lines.next()?;
    for table in &tables {
        let expected = header.tables.get(table.name).copied().unwrap_or_default();
        import.table(table, expected).await?;
        import.database.analyze(table).await?;
    }
    let bytes = import.lines.end()?;
    for suspended in suspended {
        database.resume_triggers(suspended).await?;
    }
    if let Some(post) = database.integer(MISCOUNTED).await? {
        return Err(Error::Refused(format!(
            "the file has another number of votes for post {post} than its `votes`"
        )));
    }
    if database.table("webhook_progress").await?.is_some() {
        database.run(SEARCH_AGAIN).await?;
    }
    if database.table("statistics").await?.is_some() {
        database.run(COUNT_ANEW).await?;
    }
    let last = |table: &Table| header.sequences.get(table.name).copied();
    let sequences = tables.iter().map(|table| (table, last(table)));
    let sequences = sequences.filter_map(|(table, last)| Some((table, last?)));
    for (table, last) in sequences.clone() {
        if last > MAX_ID {
            let name = table.name;
            let message =
                format!("the file has no id left after {last} in `sequences` for `{name}`");
            return Err(Error::Refused(message));
        }
        if database.highest_id(table).await? > last {
            return Err(Error::Refused(format!(
                "the file has a higher id in `{}` than the last one in `sequences`",
                table.name
            )));
        }
    }
    // PostgreSQL does not roll this back, so nothing is checked after it.
    for (table, last) in sequences {
        database.set_last_id(table, last).await?;
    }
    database.commit().await?;
    Ok(Summary { rows, bytes })
}

/// The search for events for webhooks begins at the start of the imported log. Webhooks have their own positions,
/// so nothing is delivered twice.
const SEARCH_AGAIN: &str = "UPDATE webhook_progress
    SET position = (SELECT coalesce(min(position) - 1, 0) FROM events)";

async fn begin(database: &mut Tables, tables: &[Table]) -> Result<(), Error> {
    match database.begin_write(tables).await {
        Err(error) if is_locked(&error) => {
            let message = "another program writes to the database; stop the service first";
            Err(Error::Refused(message.to_owned()))
        }
        outcome => Ok(outcome?),
    }
}

/// Checks that the last of the migrations `applied` is `wanted`, the schema of the file.
fn has_schema(applied: &[String], wanted: &str) -> Result<(), Error> {
    let present = schema(applied)?;
    if present == wanted {
        return Ok(());
    }
    let known = known_migrations();
    let place = |name: &str| known.iter().position(|other| other == name);
    let advice = match (place(wanted), place(present)) {
        (Some(wanted), Some(present)) if wanted < present => format!(
            "it is older than the database: run `acclaim migrate down -n {}`, import, and then run `acclaim migrate up`",
            present - wanted
        ),
        (Some(wanted), Some(present)) => format!(
            "it is newer than the database: run `acclaim migrate up -n {}` first",
            wanted - present
        ),
        _ => "this program does not know it: use the version of Acclaim that wrote the file"
            .to_owned(),
    };
    let message = format!("the file has the schema `{wanted}`; {advice}");
    Err(Error::Refused(message))
}

/// Checks that the file has the tables and sequences of the database.
fn fits(header: &Header, tables: &[Table]) -> Result<(), Error> {
    let names = |tables: &mut dyn Iterator<Item = &Table>| {
        tables
            .map(|table| table.name.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let all = names(&mut tables.iter());
    let numbered = names(&mut tables.iter().filter(|table| table.has_sequence));
    let problem = if !header.tables.keys().eq(&all) {
        format!("`tables` must be those of the database: {all:?}")
    } else if !header.sequences.keys().eq(&numbered) {
        format!("`sequences` must be those of the database: {numbered:?}")
    } else {
        return Ok(());
    };
    Err(Error::Line { number: 1, problem })
}

/// An import in progress.
struct Import<'a> {
    database: &'a mut Tables,
    /// The current line is the next to read.
    lines: Lines<'a>,
    progress: &'a mut dyn Progress,
}

impl Import<'_> {
    /// Inserts all rows of `table`, which must be `expected`.
    async fn table(&mut self, table: &Table, expected: u64) -> Result<(), Error> {
        let (mut rows, mut bytes, mut count) = (Vec::new(), 0, 0_u64);
        loop {
            let members = self.lines.row_of(table.name)?;
            let is_last = members.is_none();
            if let Some(members) = members {
                let values = read_row(table, members);
                rows.push(values.map_err(|problem| self.lines.error(problem))?);
                bytes += self.lines.line.len();
                count += 1;
                if count > expected {
                    let name = table.name;
                    let problem =
                        format!("the header has {expected} rows of `{name}`, but here is one more");
                    return Err(self.lines.error(problem));
                }
                self.lines.next()?;
            }
            if is_last || rows.len() >= ROWS || bytes >= BYTES {
                bytes = 0;
                self.insert(table, take(&mut rows)).await?;
            }
            if is_last {
                break;
            }
        }
        if count == expected {
            return Ok(());
        }
        let name = table.name;
        let problem =
            format!("the rows of `{name}` end here, after {count} in place of {expected}");
        Err(self.lines.error(problem))
    }

    async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), Error> {
        let count = rows.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let inserted = self.database.insert(table, rows).await;
        inserted.map_err(|cause| {
            let lines = LineNumbers {
                first: self.lines.number - count,
                last: self.lines.number - 1,
            };
            Error::Rows { lines, cause }
        })?;
        self.progress.advance(count);
        Ok(())
    }
}

/// The lines of a file.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    /// The current one.
    line: Vec<u8>,
    /// Its number, from 1.
    number: u64,
    /// Digest of the lines before it.
    digest: Context,
    bytes: u64,
}

impl<'a> Lines<'a> {
    fn new(input: &'a mut dyn BufRead) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
            digest: Context::new(&SHA256),
            bytes: 0,
        }
    }

    /// Reads the next line.
    fn next(&mut self) -> Result<(), Error> {
        self.read()?;
        if self.line.is_empty() {
            return Err(self.error("the file ends here, too early: it is incomplete"));
        }
        Ok(())
    }

    /// Reads the next line. It is empty at the end of the file.
    fn read(&mut self) -> Result<(), Error> {
        self.digest.update(&self.line);
        self.line.clear();
        self.number += 1;
        let read = self.input.take(MAX_LINE).read_until(b'\n', &mut self.line);
        read.map_err(|error| self.error(format!("the file cannot be read: {error}")))?;
        self.bytes += self.line.len() as u64;
        match self.line.last() {
            None | Some(b'\n') => Ok(()),
            Some(_) if self.line.len() as u64 == MAX_LINE => {
                Err(self.error(format!("longer than {MAX_LINE} bytes")))
            }
            Some(_) => Err(self.error("the file ends here, too early: it is incomplete")),
        }
    }

    fn header(&mut self) -> Result<Header, Error> {
        const NONE: &str = "not the beginning of a file of `acclaim export`";
        self.next()?;
        let header: Map<String, Json> = self.parse().map_err(|_| self.error(NONE))?;
        match header.get("acclaim_export").and_then(Json::as_u64) {
            None => Err(self.error(NONE)),
            Some(version) if version != u64::from(VERSION) => Err(self.error(format!(
                "the format has the version {version}, and this program knows version {VERSION}; run a newer acclaim"
            ))),
            Some(_) => self.parse(),
        }
    }

    /// The members of the current line, if it is a row of `table`, without the name of the table.
    fn row_of(&self, table: &str) -> Result<Option<Map<String, Json>>, Error> {
        let mut members: Map<String, Json> = self.parse()?;
        let is_of_table = members.get("table").and_then(Json::as_str) == Some(table);
        members.remove("table");
        Ok(is_of_table.then_some(members))
    }

    /// Checks that the current line is the last one, and right. Returns the number of bytes of all
    /// lines.
    fn end(&mut self) -> Result<u64, Error> {
        const OTHER: &str = "neither a row of a table that comes here nor the last line";
        let Trailer { sha256 } = self.parse().map_err(|_| self.error(OTHER))?;
        if hexadecimal(self.digest.clone()) != sha256 {
            return Err(self.error("the checksum differs: the file is damaged"));
        }
        self.read()?;
        if self.line.is_empty() {
            Ok(self.bytes)
        } else {
            Err(self.error("the file goes on after its end"))
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        let parsed = serde_json::from_slice(&self.line);
        // The line of the error is that within this line.
        parsed
            .map_err(|error| self.error(error.to_string().replace(" at line 1 column", ", column")))
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Line {
            number: self.number,
            problem: problem.into(),
        }
    }
}
