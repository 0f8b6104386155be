//! OAuth 2.0 libraries with the service as their authorization server. Each signs in, refreshes, narrows
//! the scope and revokes, and recognises a wrong password, scope and grant type by its own error class.

use std::path::Path;

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn requests_oauthlib_works(fixture: Fixture) {
    works(&fixture, "python", "requests_oauthlib_client.py").await;
}

#[apply(behaviour)]
async fn authlib_works(fixture: Fixture) {
    works(&fixture, "python", "authlib_client.py").await;
}

#[apply(behaviour)]
async fn openid_client_works(fixture: Fixture) {
    works(&fixture, "node", "openid-client.mjs").await;
}

#[apply(behaviour)]
async fn simple_oauth2_works(fixture: Fixture) {
    works(&fixture, "node", "simple-oauth2.mjs").await;
}

/// Runs `tests/contract/oauth/{script}` with a new service, which has the user ada.
async fn works(fixture: &Fixture, interpreter: &str, script: &str) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let script = Path::new("tests/contract/oauth").join(script);
    let mut client = tool(interpreter, fixture.folder());
    client.arg(project(&script)).arg(&service.base);
    assert_eq!(succeeds(&mut client).await.trim(), "ok");
}
