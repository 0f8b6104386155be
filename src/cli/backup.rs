//! `acclaim backup`

use std::path::Path;

use migration::Database;

use super::{
    new_file::{NewFile, unless_interrupted},
    restore::check_copy,
};
use crate::{config, db};

/// Copies the SQLite database to `file`, and checks the copy.
pub(super) async fn run(file: &Path) -> Result<(), String> {
    let database = config::load_database().map_err(|errors| errors.to_string())?;
    let Database::Sqlite(options) = &database else {
        return Err(
            "`backup` copies SQLite; copy a PostgreSQL database with `pg_dump --format=custom`"
                .to_owned(),
        );
    };
    if !options.get_filename().exists() {
        return Err(format!("{database} does not exist"));
    }
    unless_interrupted(async {
        let new = NewFile::create(file)?;
        let copied = db::back_up(options, new.file.path()).await;
        copied.map_err(|error| format!("{database} cannot be copied: {error}"))?;
        check_copy(new.file.path(), &format!("the copy of {database}")).await?;
        new.keep()
    })
    .await?;
    println!("copied {database} to `{}`", file.display());
    Ok(())
}
