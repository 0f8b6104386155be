//! The rules of the house that a program can check: `docs/architecture.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::plain;

plain![nothing_calls_upwards, no_file_is_two_things];

/// From the top down. What stands in one line may not know one another either.
const FLOORS: [&[&str]; 7] = [
    &["main"],
    &["cli"],
    &["server"],
    &["routes"],
    &["http"],
    &["services"],
    &["db"],
];
/// Seen from everywhere; these see nothing of the floors.
const LEAVES: [&str; 4] = ["config", "error", "keys", "telemetry"];
/// `services` may use `entity`. `db` and the search of `services` may use `migration`. The layers above
/// them may do so only for the types that these return.
const CRATES: [(&str, &[&str]); 2] = [
    ("entity", &["services", "routes"]),
    ("migration", &["db", "cli", "config", "services"]),
];

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("no folder") {
        let path = entry.expect("no entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Rooms that `text` names: `crate::room`, `acclaim::room`, and the members of `crate::{..}`.
fn rooms_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for root in ["crate::", "acclaim::"] {
        for (at, _) in text.match_indices(root) {
            let rest = &text[at + root.len()..];
            let Some(list) = rest.strip_prefix('{') else {
                used.push(word(rest));
                continue;
            };
            let mut depth = 0;
            let mut start = true;
            for (at, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    letter if start && letter.is_alphabetic() => {
                        used.push(word(&list[at..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        }
    }
    used
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

fn nothing_calls_upwards() {
    assert_eq!(
        rooms_used("use crate::{\n    db::{Db, page},\n    error::Error};\nuse crate::http::Id;"),
        ["db", "error", "http"]
    );
    let source = root().join("src");
    let mut seen = 0;
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).expect("outside");
        let first = inside.components().next().expect("no name").as_os_str();
        let room = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("not UTF-8");
        let here = floor(&room);
        assert!(
            here.is_some() || LEAVES.contains(&room.as_str()) || room == "lib",
            "{room} is on no floor: add it to docs/architecture.md and here"
        );
        for used in rooms_used(&text) {
            let Some(there) = floor(&used) else { continue };
            seen += 1;
            assert!(
                used == room || here.is_some_and(|here| here < there),
                "{} calls up to {used}",
                inside.display()
            );
        }
        for (name, users) in CRATES {
            let uses =
                text.contains(&format!("use {name}::")) || text.contains(&format!("{name}::run("));
            assert!(
                !uses || users.contains(&room.as_str()),
                "{} uses the crate {name}",
                inside.display()
            );
        }
    }
    assert!(seen > 20, "the test found only {seen} uses");
    for path in sources(&root().join("migration/src")) {
        let text = fs::read_to_string(&path).expect("not UTF-8");
        assert!(
            !text.contains("entity::"),
            "{} uses entities",
            path.display()
        );
    }
}

fn no_file_is_two_things() {
    for folder in ["src", "entity/src", "migration/src", "tests"] {
        for path in sources(&root().join(folder)) {
            let lines = fs::read_to_string(&path)
                .expect("not UTF-8")
                .lines()
                .count();
            assert!(lines <= 400, "{} has {lines} lines", path.display());
        }
    }
}
