//! The rules of `docs/architecture.md` that a program can check.

mod modules;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{apply, check};

/// From the top down. Layers of one line must not use each other either.
const LAYERS: [&[&str]; 7] = [
    &["main"],
    &["cli"],
    &["server"],
    &["routes", "jobs"],
    &["http"],
    &["services"],
    &["db"],
];
/// Every layer may use these. They must not use a layer.
const SHARED: [&str; 8] = [
    "config",
    "error",
    "keys",
    "metrics",
    "queue",
    "systemd",
    "telemetry",
    "traces",
];
/// The modules that may use each crate. Every layer above `db` passes on the types of
/// `entity::values`.
const CRATES: [(&str, &[&str]); 2] = [
    (
        "entity",
        &["cli", "routes", "jobs", "http", "services", "error"],
    ),
    (
        "migration",
        &["db", "cli", "config", "services/posts/search"],
    ),
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

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The top-level modules that `text` names: `crate::module`, `acclaim::module`, and the members of `crate::{..}`.
fn modules_used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for root in ["crate::", "acclaim::"] {
        for (index, _) in text.match_indices(root) {
            let rest = &text[index + root.len()..];
            let Some(list) = rest.strip_prefix('{') else {
                used.push(word(rest));
                continue;
            };
            let mut depth = 0;
            let mut start = true;
            for (index, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    letter if start && letter.is_alphabetic() => {
                        used.push(word(&list[index..]));
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

/// True for the file of `module` and for files inside of it.
fn is_in(file: &Path, module: &str) -> bool {
    file.with_extension("").starts_with(module)
}

#[apply(check)]
fn layers_use_only_lower_layers() {
    assert_eq!(
        modules_used("use crate::{\n    db::{Db, page},\n    error::Error};\nuse crate::http::Id;"),
        ["db", "error", "http"]
    );
    let source = root().join("src");
    let mut seen = 0;
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).expect("outside");
        let first = inside.components().next().expect("no name").as_os_str();
        let module = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("not UTF-8");
        let here = layer(&module);
        assert!(
            here.is_some() || SHARED.contains(&module.as_str()) || module == "lib",
            "{module} is in no layer: add it to docs/architecture.md and here"
        );
        for used in modules_used(&text) {
            let Some(there) = layer(&used) else { continue };
            seen += 1;
            assert!(
                used == module || here.is_some_and(|here| here < there),
                "{} uses the higher layer {used}",
                inside.display()
            );
        }
        for (name, users) in CRATES {
            let uses =
                text.contains(&format!("use {name}::")) || text.contains(&format!("{name}::run("));
            assert!(
                !uses || users.iter().any(|user| is_in(inside, user)),
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

#[apply(check)]
fn no_modules_form_a_cycle() {
    let uses = modules::uses(&root().join("src"));
    let edges: usize = uses.values().map(std::collections::BTreeSet::len).sum();
    assert!(edges > 100, "the test found only {edges} uses");
    let cycles = modules::cycles(&uses);
    assert!(cycles.is_empty(), "cycles: {cycles:#?}");
}

#[apply(check)]
fn files_stay_short() {
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
