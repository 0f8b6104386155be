//! HTML pages for browsers, and JSON at the same paths for programs.

use acclaim::config::Origins;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, Service},
};

const PATHS: [&str; 3] = ["/", "/problems", "/problems/not-found"];

/// The header `Accept` of a browser.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn send(service: &Service, method: &str, path: &str, accept: &str) -> Answer {
    let request = service.request(method, path).header("accept", accept);
    let answer = request.send().await.expect("no answer");
    Answer::of(answer).await.expect(200)
}

#[apply(behaviour)]
async fn browsers_get_pages_and_programs_json(fixture: Fixture) {
    let service = fixture.serve().await;
    for (accept, html) in [
        (BROWSER, true),
        ("*/*", false),
        ("application/json", false),
        ("text/html;q=0", false),
        ("text/html;q=0.5, application/json;q=0.4", true),
        ("text/*, application/json;q=0.9", true),
        ("application/*;q=0.1, text/html;q=0.1", false),
        ("text/plain", false),
        ("text/plain, text/*;q=0.1", true),
        ("nonsense", false),
    ] {
        let media_type = if html {
            "text/html; charset=utf-8"
        } else {
            "application/json"
        };
        for path in PATHS {
            let get = send(&service, "GET", path, accept).await;
            assert_eq!(get.text.starts_with("<!doctype html>"), html, "{accept}");
            let head = send(&service, "HEAD", path, accept).await;
            for answer in [&get, &head] {
                assert_eq!(answer.header("content-type"), Some(media_type), "{accept}");
                assert!(answer.header("vary").unwrap().starts_with("Accept,"));
            }
            assert_eq!(head.header("content-length"), get.header("content-length"));
        }
    }
}

#[apply(behaviour)]
async fn pages_load_nothing_and_have_no_dead_links(fixture: Fixture) {
    let service = fixture.serve().await;
    for path in PATHS {
        let page = send(&service, "GET", path, BROWSER).await;
        let style = page.text.split_once("<style>").unwrap().1;
        let style = style.split_once("</style>").unwrap().0;
        let hash = BASE64_STANDARD.encode(digest(&SHA256, style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(page.header("content-security-policy"), Some(&*policy));
        let links = page.text.split("href=\"").skip(1);
        for link in links.map(|rest| rest.split('"').next().unwrap()) {
            send(&service, "GET", link, BROWSER).await;
        }
    }
}

#[apply(behaviour)]
async fn the_front_page_names_the_front_end_if_there_is_one(fixture: Fixture) {
    let service = fixture.serve().await;
    let welcome = send(&service, "GET", "/", "*/*").await.json();
    assert_eq!(welcome["links"].get("frontend"), None);
    let page = send(&service, "GET", "/", BROWSER).await.text;
    assert!(!page.contains("Front end"), "{page}");

    let mut state = fixture.state(&fixture.database()).await;
    let url = "https://app.example/feed?a=1&b=\"<i>";
    state.frontend_url = Some(url::Url::parse(url).unwrap());
    let service = fixture.start(state, Origins::These(Vec::new()));
    let welcome = send(&service, "GET", "/", "*/*").await.json();
    let escaped = "https://app.example/feed?a=1&b=%22%3Ci%3E";
    assert_eq!(welcome["links"]["frontend"], escaped);
    let page = send(&service, "GET", "/", BROWSER).await.text;
    let link = format!(
        "<a href=\"{}\">Front end</a>",
        escaped.replace('&', "&amp;")
    );
    assert!(page.contains(&link), "{page}");
}
