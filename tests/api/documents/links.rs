//! Links between the Markdown documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use regex::Regex;

use super::blocks::{Document, markdown};
use crate::{
    architecture::root,
    harness::{apply, check},
};

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut open = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        open ^= fence;
        !open && !fence
    })
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts = BTreeMap::new();
    let headings = prose(text).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len()).then(|| heading.strip_prefix(' '))?
    });
    headings
        .map(|heading| {
            let lower = heading.trim().to_lowercase();
            let kept = lower
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor = kept.collect::<String>().replace(' ', "-");
            let count = counts.entry(anchor.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => anchor,
                number => format!("{anchor}-{}", number - 1),
            }
        })
        .collect()
}

/// The files and anchors that `document` links to and that do not exist.
fn broken_links(document: &Document) -> Vec<String> {
    let links = Regex::new(r#"\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)""#).unwrap();
    let folder = Path::new(&document.path).parent().expect("no folder");
    let text = prose(&document.text).collect::<Vec<_>>().join("\n");
    let targets = links
        .captures_iter(&text)
        .map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned());
    targets
        .filter(|target| !target.contains("://"))
        .filter(|target| {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if path.is_empty() {
                document.path.clone()
            } else {
                folder.join(path).to_str().expect("not UTF-8").to_owned()
            };
            !root().join(&linked).exists()
                || !anchor.is_empty() && !anchors(&Document::read(&linked).text).contains(anchor)
        })
        .map(|target| format!("{}: {target}", document.path))
        .collect()
}

#[apply(check)]
fn no_link_of_a_document_is_broken() {
    let documents = markdown("");
    assert!(documents.len() > 40, "{}", documents.len());
    let broken: Vec<String> = documents.iter().flat_map(broken_links).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Two clicks lead from the README to every page of `docs`.
#[apply(check)]
fn every_page_is_found_from_the_readme() {
    let (readme, index) = (
        Document::read("README.md"),
        Document::read("docs/README.md"),
    );
    for document in markdown("docs") {
        let name = document.path.trim_start_matches("docs/");
        if name == "README.md" || name.contains('/') {
            continue;
        }
        assert!(
            readme.text.contains(&format!("](docs/{name})")),
            "the README lacks {name}"
        );
        assert!(
            index.text.contains(&format!("]({name})")),
            "docs/README.md lacks {name}"
        );
    }
}
