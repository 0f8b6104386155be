//! The code blocks of the Markdown documents.

use std::{fs, path::Path};

use crate::{
    architecture::root,
    harness::{apply, check},
};

/// The languages of blocks that are not commands.
const NO_COMMANDS: [&str; 6] = ["ini", "json", "rust", "sql", "text", "ts"];

/// A Markdown document.
pub struct Document {
    /// The path from the root of the repository.
    pub path: String,
    pub text: String,
}

/// A fenced code block.
pub struct Block {
    /// The line of its beginning.
    pub line: usize,
    pub language: String,
    /// The content of the comment before it.
    comment: String,
    pub text: String,
}

impl Document {
    pub fn read(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: fs::read_to_string(root().join(path)).expect(path),
        }
    }

    /// Whether it contains the comment `directive`.
    pub fn has(&self, directive: &str) -> bool {
        self.text.contains(&format!("<!-- {directive} -->\n"))
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut open, mut comment) = (false, "");
        for (index, line) in self.text.lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                open = !open;
                if open {
                    blocks.push(Block {
                        line: index + 1,
                        language: language.to_owned(),
                        comment: comment.to_owned(),
                        text: String::new(),
                    });
                }
                comment = "";
            } else if open {
                let block = blocks.last_mut().expect("no block");
                block.text += line;
                block.text += "\n";
            } else if let Some(content) = line.strip_prefix("<!-- ") {
                comment = content.trim_end_matches(" -->");
            } else if !line.is_empty() {
                comment = "";
            }
        }
        assert!(!open, "{}: a block has no end", self.path);
        blocks
    }

    /// The blocks of commands that can be run with this database.
    pub fn commands(&self, postgres: bool) -> Vec<Block> {
        let runs = |block: &Block| {
            let other = if postgres {
                "SQLite only"
            } else {
                "PostgreSQL only"
            };
            ["sh", "console"].contains(&block.language.as_str())
                && !block.comment.starts_with("not run: ")
                && block.comment != other
        };
        self.blocks().into_iter().filter(runs).collect()
    }
}

/// The README and the documents in `docs`.
pub fn documents() -> Vec<Document> {
    let mut found = vec![Document::read("README.md")];
    found.extend(markdown("docs"));
    found
}

/// The Markdown files in `folder` and below it, except in hidden folders and those of packages.
pub fn markdown(folder: &str) -> Vec<Document> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect(folder) {
        let entry = entry.expect("no entry");
        let name = entry.file_name().into_string().expect("not UTF-8");
        let path = Path::new(folder).join(&name);
        let path = path.to_str().expect("not UTF-8");
        let skipped = name.starts_with('.') || ["target", "node_modules"].contains(&&*name);
        if entry.file_type().expect("no type").is_dir() {
            if !skipped || name == ".github" {
                found.extend(markdown(path));
            }
        } else if entry.path().extension().is_some_and(|it| it == "md") {
            found.push(Document::read(path));
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

#[apply(check)]
fn every_block_is_run_or_says_why_not() {
    let mut wrong = Vec::new();
    for document in documents() {
        for block in document.blocks() {
            let known = match block.language.as_str() {
                "sh" | "console" => {
                    let reason = block.comment.strip_prefix("not run: ");
                    reason.is_some_and(|reason| !reason.is_empty())
                        || ["", "SQLite only", "PostgreSQL only"].contains(&block.comment.as_str())
                }
                language => block.comment.is_empty() && NO_COMMANDS.contains(&language),
            };
            if !known {
                let Block {
                    line,
                    language,
                    comment,
                    ..
                } = block;
                wrong.push(format!(
                    "{}:{line}: `{language}` `{comment}`",
                    document.path
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "neither commands (sh, console) nor {NO_COMMANDS:?}, or an unknown comment: {wrong:#?}"
    );
}
