//! Clients that openapi-generator writes in several languages. Each signs up, signs in, posts and votes.

use std::path::{Path, PathBuf};

use tokio::{process::Command, sync::OnceCell};

use crate::{
    clients::{compile_python, python, votes},
    harness::{Fixture, apply, behaviour},
    tools::{client_folder, document, project, succeeds, temporary, tool},
};

#[apply(behaviour)]
async fn openapi_generator_for_go_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        // A GOPATH, so that the client's one dependency comes from Debian and nothing is downloaded.
        let folder = client_folder("go");
        let main = folder.join("src/client");
        std::fs::create_dir_all(&main).expect("no folder");
        copy("main.go", &main);
        let arguments = ["--output", "src/acclaim", "--package-name", "acclaim"];
        generate(&folder, "go", &arguments).await;
        let mut go = tool("go", &folder);
        go.args(["build", "-o", "client", "client"])
            .env("GO111MODULE", "off")
            .env("GOPATH", format!("{}:/usr/share/gocode", folder.display()))
            .env("GOCACHE", temporary("go-cache"));
        succeeds(&mut go).await;
        folder.join("client")
    };
    let client = CLIENT.get_or_init(build).await;
    votes(&fixture, &mut Command::new(client)).await;
}

#[apply(behaviour)]
async fn openapi_generator_for_python_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let folder = client_folder("python");
        let arguments = ["--output", ".", "--package-name", "acclaim"];
        generate(&folder, "python", &arguments).await;
        compile_python(&folder).await;
        folder
    };
    let folder = CLIENT.get_or_init(build).await;
    python(&fixture, folder, "openapi_generator.py").await;
}

async fn generate(folder: &Path, language: &str, more: &[&str]) {
    let mut generator = tool("openapi-generator-cli", folder);
    generator
        .args(["generate", "--generator-name", language, "--input-spec"])
        .arg(document())
        .args(more);
    succeeds(&mut generator).await;
}

/// Copies `clients/{name}` into `folder`.
fn copy(name: &str, folder: &Path) {
    let from = project("tests/contract/clients").join(name);
    let name = from.file_name().expect("not a file");
    std::fs::copy(&from, folder.join(name)).expect("not copied");
}
