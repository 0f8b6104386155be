//! Checks of the committed document without a server.

use tokio::process::Command;

use crate::{
    harness::{apply, check},
    tools::{document, project, succeeds, tool},
};

#[apply(check)]
fn the_document_passes_a_linter() {
    let mut redocly = tool("redocly", &project("tests/contract"));
    redocly
        .arg("lint")
        .arg(document())
        .env("REDOCLY_TELEMETRY", "off");
    let printed = run(&mut redocly);
    assert!(
        printed.contains("Your API description is valid"),
        "{printed}"
    );
}

#[apply(check)]
fn the_patterns_are_ecma_262() {
    let mut node = tool("node", &project("tests/contract"));
    run(node.arg("patterns.mjs").arg(document()));
}

/// The types of the page are generated from the document. The TypeScript compiler checks every call.
#[apply(check)]
fn the_example_page_matches_the_document() {
    let mut npm = tool("npm", &project("examples/web"));
    let printed = run(npm.args(["run", "check"]));
    assert!(printed.contains("openapi.json"), "{printed}");
}

fn run(command: &mut Command) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("no runtime");
    runtime.block_on(succeeds(command))
}
