//! The committed document by itself.

use crate::{
    harness::plain,
    tools::{document, project, succeeds, tool},
};

plain![the_document_passes_a_linter];

fn the_document_passes_a_linter() {
    let mut redocly = tool("redocly", &project("tests/contract"));
    redocly
        .arg("lint")
        .arg(document())
        .env("REDOCLY_TELEMETRY", "off");
    let runtime = tokio::runtime::Runtime::new().expect("no runtime");
    let printed = runtime.block_on(succeeds(&mut redocly));
    assert!(
        printed.contains("Your API description is valid"),
        "{printed}"
    );
}
