//! The documents and the service say the same.

use std::{collections::BTreeSet, fs};

use acclaim::config::SETTINGS;

use crate::harness::{Fixture, behaviours, plain};

plain![env_example_has_every_setting, the_readme_has_every_setting];
behaviours![
    the_openapi_document_and_the_router_agree,
    swagger_ui_needs_nothing_from_elsewhere
];

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

fn env_example_has_every_setting() {
    let mut expected = String::from(
        "# Every setting of Acclaim with its default. Copy this file to `.env` and uncomment what you change.\n",
    );
    for setting in SETTINGS {
        let lines = [
            "",
            setting.meaning,
            &format!("{}={}", setting.name, setting.default),
        ];
        expected += &lines.join("\n# ");
        expected += "\n";
    }
    assert_eq!(file(".env.example"), expected);
}

fn the_readme_has_every_setting() {
    let readme = file("README.md");
    for setting in SETTINGS {
        let default = match setting.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let row = format!("| `{}` | {default} | {} |", setting.name, setting.meaning);
        assert!(readme.contains(&row), "the README lacks: {row}");
    }
}

async fn the_openapi_document_and_the_router_agree(fixture: Fixture) {
    let service = fixture.serve().await;
    let document = service
        .call("GET", "/openapi.json", None, None)
        .await
        .expect(200)
        .json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        let methods: BTreeSet<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        let probe = path.replace("{id}", "1");
        let refused = service.call("BREW", &probe, None, None).await;
        refused.problem(405);
        let allowed: BTreeSet<String> = refused
            .header("allow")
            .unwrap()
            .split(", ")
            .filter(|method| *method != "HEAD")
            .map(str::to_owned)
            .collect();
        assert_eq!(allowed, methods, "{path}");
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(operations.insert(id), "{operation}");
        }
    }
    assert_eq!(operations.len(), 16);
}

async fn swagger_ui_needs_nothing_from_elsewhere(fixture: Fixture) {
    let service = fixture.serve().await;
    let page = service
        .call("GET", "/docs", None, None)
        .await
        .expect(200)
        .text;
    assert!(page.contains("<title>Acclaim API</title>"), "{page}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );
    let linked: Vec<&str> = page
        .split('"')
        .filter(|part| part.starts_with("./") || *part == "index.css")
        .collect();
    assert!(linked.len() >= 4, "{linked:?}");
    for link in linked {
        let path = format!("/docs/{}", link.trim_start_matches("./"));
        service.call("GET", &path, None, None).await.expect(200);
    }
    let start = service
        .call("GET", "/docs/swagger-initializer.js", None, None)
        .await
        .expect(200);
    assert!(
        start.text.contains("/openapi.json") && start.text.contains("\"none\""),
        "{}",
        start.text
    );
}
