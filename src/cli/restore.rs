//! `acclaim restore`

use std::{
    fs::{File, canonicalize},
    io,
    path::{Path, absolute},
};

use migration::Database;

use super::new_file::{beside, unless_interrupted};
use crate::{
    config,
    db::{self, tables::known_migrations},
};

/// Puts a copy of `file` in the place of the SQLite database.
pub(super) async fn run(file: &Path) -> Result<(), String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    let Database::Sqlite(options) = &database else {
        return Err(
            "`restore` replaces an SQLite database; restore a PostgreSQL database with `pg_restore`"
                .to_owned(),
        );
    };
    let shown = format!("`{}`", file.display());
    let unreadable = |error| format!("cannot read {shown}: {error}");
    if !file.metadata().map_err(unreadable)?.is_file() {
        // Reading from a pipe could block for ever.
        return Err(format!("{shown} is not a regular file"));
    }
    let companion = db::companion(file);
    if let Some(part) = companion.map_err(unreadable)? {
        return Err(format!(
            "a part of the data of {shown} is in `{}`; make a complete copy with `acclaim backup`",
            part.display()
        ));
    }
    let named = options.get_filename();
    // SQLite follows a symbolic link, and has its other files beside the file itself.
    let target = canonicalize(named).or_else(|_| absolute(named));
    let target = target.map_err(|error| format!("{database} cannot be found: {error}"))?;
    let copy = || {
        let mut new = beside(&target)?;
        io::copy(&mut File::open(file)?, new.as_file_mut())?;
        Ok(new)
    };
    let (pending, kept) = unless_interrupted(async {
        let new = copy().map_err(|error: io::Error| {
            format!("cannot copy {shown} to the folder of {database}: {error}")
        })?;
        let pending = check_copy(new.path(), &shown).await?;
        let kept = db::replace(new, &target).await;
        let kept = kept.map_err(|error| format!("{database} was not replaced: {error}"))?;
        Ok((pending, kept))
    })
    .await?;
    println!("restored {database} from {shown}");
    if let Some(kept) = kept {
        println!("the old database is `{}`", kept.display());
    }
    if pending > 0 {
        println!("{pending} migrations are pending; `acclaim serve` applies them");
    }
    Ok(())
}

/// Checks that `file` is a sound database of Acclaim that this program can use. Returns the number of
/// pending migrations. `shown` is its name in the error.
pub(super) async fn check_copy(file: &Path, shown: &str) -> Result<usize, String> {
    let checked = db::check(file).await;
    let checked = checked.map_err(|error| format!("{shown} is not a sound database: {error}"))?;
    if let Some(damage) = checked.damage.first() {
        return Err(format!("{shown} is damaged: {damage}"));
    }
    let known = known_migrations();
    let applied = &checked.migrations;
    let is_unknown = |name: &&String| !known.contains(name);
    match applied.iter().find(is_unknown) {
        _ if known.first() != applied.first() => {
            Err(format!("{shown} is not a database of Acclaim"))
        }
        Some(newer) => Err(format!(
            "{shown} is newer than this program: it has the migration `{newer}`; run a newer acclaim"
        )),
        None if known.starts_with(applied) => Ok(known.len() - applied.len()),
        None => Err(format!("{shown} lacks a migration before its last one")),
    }
}
