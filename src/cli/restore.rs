//! `acclaim restore`

use std::{
    fs::{File, canonicalize, metadata},
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
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(format!(
            "a part of the data of {shown} is in `{}`; make a complete copy with `acclaim backup`",
            Path::new(&log).display()
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
        let pending = pending(new.path(), &shown).await?;
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
pub(super) async fn pending(file: &Path, shown: &str) -> Result<usize, String> {
    let checked = db::check(file).await;
    let checked = checked.map_err(|error| format!("{shown} is not a sound database: {error}"))?;
    if let Some(damage) = checked.damage.first() {
        return Err(format!("{shown} is damaged: {damage}"));
    }
    let known = known_migrations();
    let is_unknown = |name: &&String| !known.contains(name);
    match checked.migrations.iter().find(is_unknown) {
        _ if known.first() != checked.migrations.first() => {
            Err(format!("{shown} is not a database of Acclaim"))
        }
        Some(newer) => Err(format!(
            "{shown} is newer than this program: it has the migration `{newer}`; run a newer acclaim"
        )),
        None => Ok(known.len() - checked.migrations.len()),
    }
}
