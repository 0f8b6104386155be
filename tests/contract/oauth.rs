//! OAuth 2.0 libraries with the service as their authorization server.

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn requests_oauthlib_works(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let mut client = tool("python", fixture.folder());
    client
        .arg(project("tests/contract/oauth/requests_oauthlib_client.py"))
        .arg(&service.base);
    assert_eq!(succeeds(&mut client).await.trim(), "bearer: ada");
}
