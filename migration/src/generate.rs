//! Adds a migration to the sources.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sea_orm_migration::sea_orm::prelude::TimeDateTimeWithTimeZone;

use crate::names;

/// The text of a new migration. Its statements fail until they are replaced.
pub const TEMPLATE: &str = include_str!("template.rs.txt");
/// The sources of this crate, from the folder of a clone.
const SOURCES: &str = "migration/src";
/// Maximum length of a name, in characters.
const MAX_NAME: usize = 60;

/// Writes the migration `name` with `text` to `migration/src` in `folder`, and adds it to `lib.rs`.
///
/// `name` consists of `[a-z0-9_]`. Returns the path of its file. The error is one sentence for the
/// developer, and nothing is written then.
pub fn generate(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let is_valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_valid) {
        return Err(format!(
            "the name `{name}` must consist of 1 to {MAX_NAME} characters of [a-z0-9_]"
        ));
    }
    let sources = folder.join(SOURCES);
    let library = sources.join("lib.rs");
    let before = fs::read_to_string(&library).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!(
            "`{SOURCES}/lib.rs` is not here: `generate` adds a migration to the sources, so run it in the folder of a clone"
        ),
        _ => format!("cannot read `{}`: {error}", library.display()),
    })?;
    let module = next(name, &before);
    let after = register(&before, &module)
        .ok_or_else(|| format!("`{}` has no list of migrations", library.display()))?;
    let file = sources.join(format!("{module}.rs"));
    let failed = |error: io::Error| format!("could not write the migration: {error}");
    let new = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = new
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .and_then(|()| fs::write(sources.join("lib.rs.new"), after))
        .and_then(|()| fs::rename(sources.join("lib.rs.new"), &library));
    if let Err(error) = written {
        let _ = fs::remove_file(&file);
        return Err(failed(error));
    }
    Ok(file)
}

/// `mDATE_NUMBER_name`, after the newest migration of `library`.
fn next(name: &str, library: &str) -> String {
    let now = TimeDateTimeWithTimeZone::now_utc();
    let today = format!(
        "{:04}{:02}{:02}",
        now.year(),
        u8::from(now.month()),
        now.day()
    );
    let modules = library.lines().filter_map(|line| {
        let module = line.strip_prefix("mod m")?.strip_suffix(';')?;
        let mut parts = module.split('_');
        Some((parts.next()?.to_owned(), parts.next()?.parse::<u32>().ok()?))
    });
    let (date, number) = modules.max().unwrap_or_default();
    format!("m{}_{:06}_{name}", date.max(today), number + 1)
}

/// `library` with the declaration of `module`, and its line in the list of migrations.
fn register(library: &str, module: &str) -> Option<String> {
    let mut lines: Vec<String> = library.lines().map(str::to_owned).collect();
    let last = |lines: &[String], start: &str| {
        lines
            .iter()
            .rposition(|line| line.trim_start().starts_with(start))
    };
    let declared = last(&lines, "mod m2")?;
    lines.insert(declared + 1, format!("mod {module};"));
    let listed = last(&lines, "Box::new(m2")?;
    let line = format!("            Box::new({module}::Migration),");
    lines.insert(listed + 1, line);
    Some(lines.join("\n") + "\n")
}

/// The names of the migrations that `folder`'s sources have and this program lacks, oldest first: it must
/// be built again before a draft compares with all of them.
#[must_use]
pub fn not_built(folder: &Path) -> Vec<String> {
    let library = fs::read_to_string(folder.join(SOURCES).join("lib.rs")).unwrap_or_default();
    let built = names();
    let modules = library
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    modules
        .filter(|module| module.starts_with("m2") && !built.iter().any(|name| name == module))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{TEMPLATE, generate};

    #[test]
    fn a_migration_is_written_and_registered() {
        let folder = tempfile::tempdir().expect("no folder");
        let missing = generate(folder.path(), "add_something", TEMPLATE).unwrap_err();
        assert!(missing.contains("folder of a clone"), "{missing}");
        let sources = folder.path().join("migration/src");
        fs::create_dir_all(&sources).expect("no folder");
        fs::write(sources.join("lib.rs"), include_str!("lib.rs")).expect("not written");
        let refused = generate(folder.path(), "Add something", TEMPLATE).unwrap_err();
        assert!(refused.contains("[a-z0-9_]"), "{refused}");
        for name in ["add_something", "add_more"] {
            let file = generate(folder.path(), name, TEMPLATE).expect("not generated");
            assert_eq!(fs::read_to_string(&file).expect("no file"), TEMPLATE);
            let module = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let library = fs::read_to_string(sources.join("lib.rs")).expect("no file");
            let declared = format!("\nmod {module};\nmod runner;");
            assert!(library.contains(&declared), "{library}");
            let listed = format!("            Box::new({module}::Migration),\n        ]");
            assert!(library.contains(&listed), "{library}");
        }
        let files = fs::read_dir(&sources).expect("no folder").count();
        assert_eq!(files, 3);
    }
}
