//! Browsers: the pages of the service, Swagger UI, and the example page on another origin.

use std::{net::TcpListener, path::PathBuf};

use acclaim::config::Origins;

use crate::{
    harness::{Fixture, apply, behaviour, process::run},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn the_pages_are_accessible_and_linked(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.frontend_url = Some("https://app.example".parse().expect("not a URL"));
    let service = fixture.start(state, Origins::These(Vec::new()));
    let mut browser = tool("node", fixture.folder());
    browser
        .arg(project("tests/contract/pages.mjs"))
        .env("API_URL", &service.base)
        .env("SCREENSHOTS", screenshots(&fixture));
    println!("{}", succeeds(&mut browser).await.trim());
}

#[apply(behaviour)]
async fn swagger_ui_signs_in_posts_and_votes(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let mut browser = tool("node", fixture.folder());
    browser
        .arg(project("tests/contract/swagger.mjs"))
        .env("API_URL", &service.base)
        .env("SCREENSHOTS", screenshots(&fixture));
    println!("{}", succeeds(&mut browser).await.trim());
}

#[apply(behaviour)]
async fn a_page_of_a_listed_origin_works(fixture: Fixture) {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("no port")
        .port();
    let listed = Origins::These(vec![format!("http://localhost:{port}")]);
    let service = fixture.serve_as(false, listed).await;
    // The API makes no admins.
    let admin = "rosa";
    service.user(admin).await;
    let promotion = ["user", "promote", admin, "--role", "admin"];
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    let promoted = run(fixture.folder(), &promotion, &settings).await;
    assert_eq!((promoted.code, promoted.stderr.as_str()), (Some(0), ""));
    let mut browser = tool("node", fixture.folder());
    browser
        .arg(project("tests/contract/web.mjs"))
        .env("API_URL", &service.base)
        .env("WEB_PORT", port.to_string())
        .env("ADMIN", admin)
        .env("SCREENSHOTS", screenshots(&fixture));
    println!("{}", succeeds(&mut browser).await.trim());
}

/// The folder for screenshots.
fn screenshots(fixture: &Fixture) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("screenshots")
        .join(fixture.kind.to_string());
    std::fs::create_dir_all(&folder).expect("no folder");
    folder
}
