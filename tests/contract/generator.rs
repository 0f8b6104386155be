//! Clients that openapi-generator writes in four languages. Each signs up, signs in, posts and votes.

use std::path::{Path, PathBuf};

use tokio::{process::Command, sync::OnceCell};

use crate::{
    clients::{compile_python, node, python, typescript, votes},
    harness::{Fixture, apply, behaviour},
    tools::{client_folder, document, project, succeeds, temporary, tool},
};

const PROGRAM: &str = "openapi-generator-cli";

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
async fn openapi_generator_for_rust_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let folder = client_folder("rust");
        for name in ["rust/Cargo.toml", "rust/Cargo.lock", "rust/main.rs"] {
            copy(name, &folder);
        }
        let arguments = [
            ["--output", "acclaim-client"],
            ["--package-name", "acclaim-client"],
            // The lock file has this version.
            ["--additional-properties", "packageVersion=0.0.0"],
        ];
        generate(&folder, "rust", arguments.as_flattened()).await;
        // Outside of the folder, so that the next run need not compile the dependencies.
        let target = temporary("rust-client");
        let mut cargo = tool("cargo", &folder);
        cargo
            .args(["build", "--locked", "--quiet", "--target-dir"])
            .arg(&target)
            .env_remove("CARGO_BUILD_TARGET");
        succeeds(&mut cargo).await;
        target.join("debug/client")
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

#[apply(behaviour)]
async fn openapi_generator_for_typescript_works(fixture: Fixture) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || {
        typescript(PROGRAM, |generator| {
            let extension = ["--additional-properties", "importFileExtension=.js"];
            arguments(generator, "typescript-fetch")
                .args(["--output", "client"])
                .args(extension);
        })
    };
    node(&fixture, CLIENT.get_or_init(build).await).await;
}

async fn generate(folder: &Path, language: &str, more: &[&str]) {
    let mut generator = tool(PROGRAM, folder);
    succeeds(arguments(&mut generator, language).args(more)).await;
}

fn arguments<'a>(generator: &'a mut Command, language: &str) -> &'a mut Command {
    generator
        .args(["generate", "--generator-name", language, "--input-spec"])
        .arg(document())
}

/// Copies `clients/{name}` into `folder`.
fn copy(name: &str, folder: &Path) {
    let from = project("tests/contract/clients").join(name);
    let name = from.file_name().expect("not a file");
    std::fs::copy(&from, folder.join(name)).expect("not copied");
}
