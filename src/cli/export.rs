//! `acclaim export`

use std::{
    io::{self, Write},
    path::Path,
};

use zstd::Encoder;

use super::{
    new_file::{NewFile, unless_interrupted},
    progress::Report,
};
use crate::{
    config,
    db::tables::Tables,
    services::archive::{self, Summary},
};

/// zstd's default. Higher levels take several times as long for some percent.
const LEVEL: i32 = 3;

/// Writes the data to `file`, or to the standard output if `file` is `-`.
pub(super) async fn run(file: &Path) -> Result<(), String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    if file == Path::new("-") {
        // Without signal handlers: a full pipe blocks, and there is no file to remove.
        let mut database = Tables::open(&database).await?;
        return write(&mut database, &mut io::stdout().lock()).await;
    }
    unless_interrupted(async {
        let mut new = NewFile::create(file)?;
        let mut database = Tables::open(&database).await?;
        let output = new.file.as_file_mut();
        if file.extension().is_some_and(|it| it == "zst") {
            let failed = |error: io::Error| format!("the file cannot be compressed: {error}");
            let mut encoder = Encoder::new(output, LEVEL).map_err(failed)?;
            write(&mut database, &mut encoder).await?;
            encoder.finish().map_err(failed)?;
        } else {
            write(&mut database, output).await?;
        }
        new.keep()
    })
    .await
}

async fn write(database: &mut Tables, output: &mut dyn Write) -> Result<(), String> {
    let mut report = Report::new("exported");
    let outcome = archive::export(database, output, &mut report).await;
    end(report, outcome)
}

/// Prints the result of an export or an import. Returns the error, if it failed.
pub(super) fn end(report: Report, outcome: Result<Summary, archive::Error>) -> Result<(), String> {
    match outcome {
        Ok(summary) => {
            report.end(summary);
            Ok(())
        }
        Err(error) => {
            report.clear();
            Err(error.to_string())
        }
    }
}
