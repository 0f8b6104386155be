//! Browsers: the pages of the service, Swagger UI, and the example page on another origin.

use std::{net::TcpListener, path::PathBuf, process::Stdio};

use acclaim::config::Origins;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};

use crate::{
    harness::{
        Fixture, SECRET, apply, behaviour,
        process::{Running, run},
    },
    tools::{TIMEOUT, project, succeeds, tool},
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
    let port = free_port();
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
        .env("WEB_PORT", &port)
        .env("ADMIN", admin)
        .env("SCREENSHOTS", screenshots(&fixture));
    println!("{}", succeeds(&mut browser).await.trim());
}

#[apply(behaviour)]
async fn a_page_shows_what_happens_and_survives_a_restart(fixture: Fixture) {
    fixture.migrate().await;
    let port = free_port();
    let origin = format!("http://localhost:{port}");
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("JWT_SECRET", SECRET),
        ("PUBLIC_READS", "true"),
        ("CORS_ALLOWED_ORIGINS", &origin),
    ];
    let mut running = Some(Running::start(fixture.folder(), &settings).await);
    let base = running.as_ref().map(|running| running.service.base.clone());
    let base = base.unwrap();
    let (_, address) = base.rsplit_once(':').expect("no port");
    let again = [&settings[..], &[("PORT", address)]].concat();
    let mut browser = tool("node", fixture.folder())
        .arg(project("tests/contract/live.mjs"))
        .env("API_URL", &base)
        .env("WEB_PORT", &port)
        .env("SCREENSHOTS", screenshots(&fixture))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tool did not start: run tests/contract/install");
    let mut lines = BufReader::new(browser.stdout.take().unwrap()).lines();
    let mut done = browser.stdin.take().unwrap();
    loop {
        let line = timeout(TIMEOUT, lines.next_line()).await;
        let Some(line) = line.expect("the tool took too long").expect("no text") else {
            break;
        };
        match line.as_str() {
            "> stop" => {
                let running = running.take().expect("it has stopped");
                running.signal("TERM");
                assert_eq!(running.end().await.0, Some(0));
            }
            "> suspend" => {
                let suspension = ["user", "suspend", "eve"];
                let suspended = run(fixture.folder(), &suspension, &settings).await;
                assert_eq!(suspended.code, Some(0), "{}", suspended.stderr);
            }
            "> start" => running = Some(Running::start(fixture.folder(), &again).await),
            _ => {
                println!("{line}");
                continue;
            }
        }
        done.write_all(b"\n").await.expect("the tool has ended");
    }
    let status = browser.wait().await.expect("cannot wait for the tool");
    assert!(status.success(), "{status}");
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port");
    let address = listener.local_addr().expect("no address");
    address.port().to_string()
}

/// The folder for screenshots.
fn screenshots(fixture: &Fixture) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("screenshots")
        .join(fixture.kind.to_string());
    std::fs::create_dir_all(&folder).expect("no folder");
    folder
}
