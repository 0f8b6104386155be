//! `acclaim import`

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

use zstd::Decoder;

use super::{export::end, progress::Report};
use crate::{config, db::tables::Tables, services::archive};

/// The first bytes of a file of zstd (RFC 8878, section 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bytes that are read at once.
const BUFFER: usize = 128 * 1024;

/// Reads the data from `file`, or from the standard input if `file` is `-`.
pub(super) async fn run(file: &Path) -> Result<(), String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    let input = open(file);
    let mut input = input.map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let mut database = Tables::open(&database).await?;
    let mut report = Report::new("imported");
    let outcome = archive::import(&mut database, &mut *input, &mut report).await;
    // Without a commit this rolls back. An error does not matter: the connection is gone then.
    let _ = database.close().await;
    end(report, outcome)
}

/// Opens the file, and decompresses it if its content is compressed.
fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file)?)
    };
    let mut start = Vec::new();
    input
        .by_ref()
        .take(ZSTD.len() as u64)
        .read_to_end(&mut start)?;
    let is_compressed = start == ZSTD;
    let input = Cursor::new(start).chain(input);
    Ok(if is_compressed {
        Box::new(BufReader::with_capacity(BUFFER, Decoder::new(input)?))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, input))
    })
}
