//! Clients that are generated from the document. Each signs up, signs in, posts and votes.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tokio::{process::Command, sync::OnceCell};

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{client_folder, document, project, succeeds, tool},
};

#[apply(behaviour)]
async fn openapi_typescript_with_openapi_fetch_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || {
        typescript("openapi-typescript", |generator| {
            generator
                .arg(document())
                .args(["-o", "api.d.ts", "--default-non-nullable=false"]);
        })
    };
    node(&fixture, CLIENT.get_or_init(build).await).await;
}

#[apply(behaviour)]
async fn hey_api_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || {
        typescript("openapi-ts", |generator| {
            generator
                .arg("--silent")
                .arg("--file")
                .arg(project("tests/contract/clients/openapi-ts.config.js"))
                .arg("--input")
                .arg(document());
        })
    };
    node(&fixture, CLIENT.get_or_init(build).await).await;
}

#[apply(behaviour)]
async fn orval_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || {
        typescript("orval", |generator| {
            generator.arg("--input").arg(document()).args([
                "--output",
                "client.ts",
                "--client",
                "fetch",
            ]);
        })
    };
    node(&fixture, CLIENT.get_or_init(build).await).await;
}

#[apply(behaviour)]
async fn openapi_python_client_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let folder = client_folder("openapi-python-client");
        let mut generator = tool("openapi-python-client", &folder);
        generator
            .args(["generate", "--meta", "none", "--fail-on-warning"])
            .args(["--output-path", "acclaim_client", "--path"])
            .arg(document());
        succeeds(&mut generator).await;
        compile_python(&folder).await;
        folder
    };
    let folder = CLIENT.get_or_init(build).await;
    python(&fixture, folder, "openapi_python_client.py").await;
}

/// Compiles `clients/{generator}.ts` together with what `generator` writes, and returns the program.
pub async fn typescript(generator: &str, arguments: impl FnOnce(&mut Command)) -> PathBuf {
    let folder = client_folder(generator);
    symlink(
        project("tests/contract/node_modules"),
        folder.join("node_modules"),
    )
    .expect("no link");
    let main = format!("{generator}.ts");
    for (from, to) in [
        ("package.json", "package.json"),
        ("clients/tsconfig.json", "tsconfig.json"),
        (&format!("clients/{main}"), &main),
    ] {
        let from = project("tests/contract").join(from);
        std::fs::copy(from, folder.join(to)).expect(to);
    }
    let mut command = tool(generator, &folder);
    arguments(&mut command);
    succeeds(&mut command).await;
    succeeds(&mut tool("tsc", &folder)).await;
    folder.join(format!("{generator}.js"))
}

/// Asserts that a Python client in `folder` has no syntax errors or warnings.
pub async fn compile_python(folder: &Path) {
    let mut compiler = tool("python", folder);
    compiler.args(["-W", "error", "-m", "compileall", "-q", "."]);
    succeeds(&mut compiler).await;
}

/// Runs `program` of [`typescript`].
pub async fn node(fixture: &Fixture, program: &Path) {
    votes(fixture, tool("node", fixture.folder()).arg(program)).await;
}

/// Runs `clients/{main}` with the client in `folder`.
pub async fn python(fixture: &Fixture, folder: &Path, main: &str) {
    let main = project("tests/contract/clients").join(main);
    let mut client = tool("python", fixture.folder());
    votes(fixture, client.env("PYTHONPATH", folder).arg(main)).await;
}

/// Asserts that `client`, with the address of a new service as its argument, adds a vote.
pub async fn votes(fixture: &Fixture, client: &mut Command) {
    let service = fixture.serve().await;
    assert_eq!(succeeds(client.arg(&service.base)).await.trim(), "1 vote");
}
