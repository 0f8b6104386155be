//! `acclaim openapi`

use std::io::{self, Write};

use crate::routes;

/// Prints the OpenAPI document. `docs/openapi.json` is its committed copy.
pub(super) fn run() -> Result<(), String> {
    let document = routes::document().to_pretty_json();
    let document =
        document.map_err(|error| format!("the document cannot be serialised: {error}"))?;
    writeln!(io::stdout(), "{document}")
        .map_err(|error| format!("the document cannot be printed: {error}"))
}
