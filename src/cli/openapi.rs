//! `acclaim openapi`

use std::io::{self, Write};

use crate::routes;

/// Prints the OpenAPI document. `docs/openapi.json` is its committed copy.
pub(super) fn run() -> Result<(), String> {
    let mut document = routes::document();
    // A file has no address that `/` could be relative to, and most importers use the first server.
    if let Some(servers) = &mut document.servers {
        servers.reverse();
    }
    let document = document.to_pretty_json();
    let document =
        document.map_err(|error| format!("the document cannot be serialised: {error}"))?;
    writeln!(io::stdout(), "{document}")
        .map_err(|error| format!("the document cannot be printed: {error}"))
}
