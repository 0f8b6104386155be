//! Writes an archive, from one snapshot, in constant memory.

use std::{collections::BTreeMap, io::Write};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::TryStreamExt;
use tokio::task::coop::consume_budget;

use super::{
    Error, Header, Progress, Summary, Trailer, VERSION, existing, format::write_row, hexadecimal,
    schema,
};
use crate::db::tables::{Tables, known_migrations};

/// Bytes that are collected before they are written.
const BUFFER: usize = 64 * 1024;

/// Writes all data of `database` to `output`. `database` has no transaction.
///
/// It reads in one transaction: until the end, the write-ahead log of an SQLite database grows with
/// each write of a running service, and PostgreSQL keeps the rows that others delete.
///
/// # Errors
/// If migrations are pending or unknown, or if the database or the output fails. What was written is
/// incomplete then.
pub async fn export(
    database: &mut Tables,
    output: &mut dyn Write,
    progress: &mut dyn Progress,
) -> Result<Summary, Error> {
    database.begin_snapshot().await?;
    let applied = database.migrations().await?;
    let schema = schema(&applied)?.to_owned();
    let pending = known_migrations().len() - applied.len();
    if pending > 0 {
        let message =
            format!("the database has {pending} pending migrations; run `acclaim migrate up`");
        return Err(Error::Refused(message));
    }
    let tables = existing(database).await?;
    let mut header = Header {
        acclaim_export: VERSION,
        schema,
        tables: BTreeMap::new(),
        sequences: BTreeMap::new(),
    };
    for table in &tables {
        let name = table.name.to_owned();
        let last = database.last_id(table).await?;
        header
            .sequences
            .extend(last.map(|last| (name.clone(), last)));
        header.tables.insert(name, database.count(table).await?);
    }
    let rows = header.tables.values().sum();
    progress.begin(rows);
    let mut lines = Lines::new(output);
    lines.add(|buffer| write_json(buffer, &header))?;
    for table in &tables {
        let mut count = 0;
        let mut all = database.rows(table);
        while let Some(row) = all.try_next().await.map_err(|cause| Error::Read {
            table: table.name,
            previous: count,
            cause,
        })? {
            lines.add(|buffer| write_row(buffer, table, &row))?;
            progress.advance(1);
            count += 1;
            // SQLite's rows can always be ready, and then a signal would wait for the last one.
            consume_budget().await;
        }
        if header.tables.get(table.name) != Some(&count) {
            let message = format!("the number of rows of `{}` changed to {count}", table.name);
            return Err(Error::Refused(message));
        }
    }
    let bytes = lines.end()?;
    database.commit().await?;
    Ok(Summary { rows, bytes })
}

fn write_json(buffer: &mut Vec<u8>, line: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *buffer, line)?;
    buffer.push(b'\n');
    Ok(())
}

/// Writes lines and their SHA-256.
struct Lines<'a> {
    output: &'a mut dyn Write,
    buffer: Vec<u8>,
    digest: Context,
    bytes: u64,
}

impl<'a> Lines<'a> {
    fn new(output: &'a mut dyn Write) -> Self {
        Self {
            output,
            buffer: Vec::new(),
            digest: Context::new(&SHA256),
            bytes: 0,
        }
    }

    fn add(&mut self, line: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<(), Error> {
        line(&mut self.buffer).map_err(Error::Write)?;
        if self.buffer.len() < BUFFER {
            return Ok(());
        }
        self.digest.update(&self.buffer);
        self.flush()
    }

    /// Writes the last line. Returns the number of bytes of all lines.
    fn end(mut self) -> Result<u64, Error> {
        self.digest.update(&self.buffer);
        let sha256 = hexadecimal(self.digest.clone());
        write_json(&mut self.buffer, &Trailer { sha256 }).map_err(Error::Write)?;
        self.flush()?;
        Ok(self.bytes)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.bytes += self.buffer.len() as u64;
        self.output.write_all(&self.buffer).map_err(Error::Write)?;
        self.buffer.clear();
        Ok(())
    }
}
