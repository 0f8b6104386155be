//! Clients generated from the document, and an OAuth 2.0 library.

use std::os::unix::fs::symlink;

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{document, project, succeeds, tool},
};

#[apply(behaviour)]
async fn a_generated_typescript_client_works(fixture: Fixture) {
    let service = fixture.serve().await;
    let folder = fixture.folder();
    symlink(
        project("tests/contract/node_modules"),
        folder.join("node_modules"),
    )
    .expect("no link");
    for name in ["client.ts", "tsconfig.json", "package.json"] {
        let from = project("tests/contract").join(name);
        std::fs::copy(from, folder.join(name)).expect(name);
    }
    let mut generator = tool("openapi-typescript", folder);
    generator
        .arg(document())
        .args(["-o", "api.d.ts", "--default-non-nullable=false"]);
    succeeds(&mut generator).await;
    succeeds(&mut tool("tsc", folder)).await;
    let mut client = tool("node", folder);
    client.args(["client.js", &service.base]);
    assert_eq!(succeeds(&mut client).await.trim(), "1 vote");
}

#[apply(behaviour)]
async fn a_generated_python_client_works(fixture: Fixture) {
    let service = fixture.serve().await;
    let folder = fixture.folder();
    let mut generator = tool("openapi-python-client", folder);
    generator
        .args(["generate", "--meta", "none", "--fail-on-warning"])
        .args(["--output-path", "acclaim_client", "--path"])
        .arg(document());
    succeeds(&mut generator).await;
    let mut compiler = tool("python", folder);
    compiler.args(["-W", "error", "-m", "compileall", "-q", "acclaim_client"]);
    succeeds(&mut compiler).await;
    let mut client = tool("python", folder);
    client.env("PYTHONPATH", folder);
    client
        .arg(project("tests/contract/client.py"))
        .arg(&service.base);
    assert_eq!(succeeds(&mut client).await.trim(), "1 vote");
}

#[apply(behaviour)]
async fn an_oauth_library_gets_a_token(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let mut client = tool("python", fixture.folder());
    client
        .arg(project("tests/contract/oauth.py"))
        .arg(&service.base);
    assert_eq!(succeeds(&mut client).await.trim(), "bearer: ada");
}
