//! The committed documents match the service.

mod blocks;
mod commands;
mod links;

use std::{collections::BTreeSet, fs, process::Command};

use acclaim::{
    config::SETTINGS,
    http::problem::{ProblemPage, ProblemType},
};
use regex::Regex;
use serde_json::Value;

use crate::{
    architecture::{root, sources},
    harness::{Fixture, apply, behaviour, check},
};

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

#[apply(check)]
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

#[apply(check)]
fn the_table_of_settings_is_complete() {
    let table = file("docs/settings.md");
    for setting in SETTINGS {
        let default = match setting.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let row = format!("| `{}` | {default} | {} |", setting.name, setting.meaning);
        assert!(table.contains(&row), "docs/settings.md lacks: {row}");
    }
}

/// A misspelt name would have no effect.
#[apply(check)]
fn deployments_use_settings_that_exist() {
    let name = Regex::new("(?m)^ *(?:- name: )?([A-Z][A-Z_]+)(?::|$)").expect("no expression");
    for (path, count) in [
        ("compose.yaml", 5),
        ("deploy/kubernetes/acclaim.yaml", 5),
        ("deploy/kubernetes/migrate.yaml", 1),
    ] {
        let text = file(path);
        let names = name.captures_iter(&text).map(|found| found[1].to_owned());
        let names: Vec<_> = names
            .filter(|name| !name.starts_with("POSTGRES_"))
            .collect();
        assert_eq!(names.len(), count, "{path}: {names:?}");
        for name in names {
            let known = SETTINGS.iter().any(|setting| setting.name == name);
            assert!(known, "{path}: {name}");
        }
    }
}

#[apply(check)]
fn the_table_of_errors_is_complete() {
    let table = file("docs/errors.md");
    for page in ProblemType::all().map(ProblemType::page) {
        let ProblemPage {
            status,
            uri,
            meaning,
            advice,
            ..
        } = page;
        let row = format!("| {status} | `{uri}` | {meaning} | {advice} |");
        assert!(table.contains(&row), "docs/errors.md lacks: {row}");
    }
}

/// The figures of the README are those of the last run of the benchmark.
#[apply(check)]
fn the_figures_of_the_readme_were_measured() {
    let (readme, tables) = (file("README.md"), file("bench/results/tables.md"));
    let rows = readme.lines().filter(|line| line.contains(" as many |"));
    let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    for (database, contender) in [
        ("PostgreSQL", "FastAPI, SQLAlchemy"),
        ("PostgreSQL", "fastify, pg"),
        ("SQLite", "Datasette"),
    ] {
        let row = rows.next().expect("no figures");
        let (_, table) = tables
            .split_once(&format!("## {database}, 32"))
            .expect(database);
        let (_, table) = table
            .split_once("| first page, 64 readers |")
            .expect("no first page");
        let own = format!(" Acclaim | {} |", row[2]);
        assert!(table.starts_with(&own), "the README has {own}");
        let times = row[4].trim_end_matches(" as many");
        let other = format!("|  | {contender} | {} | {times} |", row[3]);
        assert!(table.contains(&other), "the README has {other}");
    }
}

#[apply(check)]
fn the_committed_openapi_document_is_current() {
    let printed = Command::new(env!("CARGO_BIN_EXE_acclaim"))
        .arg("openapi")
        .output()
        .expect("acclaim did not start");
    let printed = String::from_utf8(printed.stdout).expect("not UTF-8");
    assert!(
        file("docs/openapi.json") == printed,
        "docs/openapi.json is out of date; run: cargo run -- openapi > docs/openapi.json"
    );
}

/// Most importers use the first server and the first alternative of `security`. Swagger UI also uses the
/// first server, but of the document of its own service.
#[apply(check)]
fn imports_of_the_document_have_an_address_and_one_variable_for_the_token() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let servers = document["servers"].as_array().expect("no servers").iter();
    let urls: Vec<_> = servers.map(|server| server["url"].clone()).collect();
    assert_eq!(urls, ["http://127.0.0.1:8000", "/"]);
    let flow = &document["components"]["securitySchemes"]["password"]["flows"]["password"];
    assert_eq!(
        (&flow["tokenUrl"], &flow["refreshUrl"]),
        (&"/login".into(), &"/login".into())
    );
    assert!(document["info"]["contact"]["name"].is_string());
    let paths = document["paths"].as_object().expect("no paths").values();
    let operations = paths.flat_map(|item| item.as_object().expect("no operations").values());
    for operation in operations {
        let first = &operation["security"][0];
        assert!(
            *first == serde_json::json!({}) || first.get("token").is_some(),
            "{operation}"
        );
    }
}

/// For a member of a form that is a reference with a description, openapi-generator writes a Rust type that
/// does not exist.
#[apply(check)]
fn forms_have_no_references() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let paths = document["paths"].as_object().expect("no paths").values();
    let operations = paths.flat_map(|item| item.as_object().expect("no operations").values());
    let mut members = 0;
    for operation in operations {
        let form = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"];
        let Some(name) = form["schema"]["$ref"].as_str() else {
            continue;
        };
        let schema = document.pointer(name.trim_start_matches('#')).expect(name);
        for (name, member) in schema["properties"].as_object().expect(name) {
            assert!(member["type"].is_string(), "{name}: {member}");
            members += 1;
        }
    }
    assert!(members > 0);
}

/// The arrays that grow with an account, and so have no maximum.
const UNBOUNDED: [&str; 5] = [
    "/components/schemas/Export/properties/audit_log",
    "/components/schemas/Export/properties/posts",
    "/components/schemas/Export/properties/votes",
    "/components/schemas/ImportRequest/properties/posts",
    "/components/schemas/ImportRequest/properties/votes",
];

#[apply(check)]
fn every_array_has_a_maximum() {
    fn visit(value: &Value, path: &str, found: &mut Vec<String>) {
        let types = value["type"]
            .as_array()
            .map_or(std::slice::from_ref(&value["type"]), Vec::as_slice);
        if types.contains(&"array".into()) && !value["maxItems"].is_u64() {
            found.push(path.to_owned());
        }
        let members = value.as_object().into_iter().flatten();
        let members = members.map(|(name, member)| (name.clone(), member));
        let items = value.as_array().into_iter().flatten().enumerate();
        let items = items.map(|(index, item)| (index.to_string(), item));
        for (name, part) in members.chain(items) {
            visit(part, &format!("{path}/{name}"), found);
        }
    }
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let mut found = Vec::new();
    visit(&document, "", &mut found);
    assert_eq!(found, UNBOUNDED);
}

/// `METHOD /path` of every operation of the document.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("no paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("no operations").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

#[apply(check)]
fn the_postman_collection_has_every_operation() {
    fn requests(folder: &Value, found: &mut BTreeSet<String>) {
        for item in folder["item"].as_array().into_iter().flatten() {
            requests(item, found);
            let url = &item["request"]["url"];
            let Some(url) = url["raw"].as_str().or(url.as_str()) else {
                continue;
            };
            let tested = item["event"].as_array().into_iter().flatten();
            assert!(
                tested.into_iter().any(|event| event["listen"] == "test"),
                "{} asserts nothing",
                item["name"]
            );
            let path = url.trim_start_matches("{{baseUrl}}/").split('?').next();
            let parts = path.unwrap_or_default().split('/');
            let parts = parts.map(|part| if part.starts_with("{{") { "{id}" } else { part });
            let method = item["request"]["method"].as_str().unwrap_or_default();
            found.insert(format!("{method} /{}", parts.collect::<Vec<_>>().join("/")));
        }
    }
    let document = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let collection = file("docs/postman/acclaim.postman_collection.json");
    let collection = serde_json::from_str(&collection).expect("not JSON");
    let mut found = BTreeSet::new();
    requests(&collection, &mut found);
    let expected: BTreeSet<String> = operations(&document)
        .iter()
        .map(|operation| operation.replace("{slug}", "not-found"))
        .map(|operation| operation.replace("{external_id}", "{id}"))
        .map(|operation| operation.replace("{position}", "{id}"))
        .collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "the collection lacks {missing:?}");
}

/// The rules of a password can be read before they are broken.
#[apply(check)]
fn the_operations_that_set_a_password_describe_its_rules() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let schema = &document["components"]["schemas"]["ChosenPassword"];
    let length = format!(
        "{} to {} characters",
        schema["minLength"], schema["maxLength"]
    );
    for (path, method) in [("/users", "post"), ("/users/me", "patch")] {
        let description = document["paths"][path][method]["description"].as_str();
        let description = description.expect("no description").replace('\n', " ");
        for rule in [
            &*length,
            "most common passwords",
            "username",
            "e-mail address",
        ] {
            assert!(description.contains(rule), "{rule}: {description}");
        }
    }
}

/// The document has the routes of `routes::all`. A handler that is missing there, or a resource that
/// is added to the server directly, would have no operation.
#[apply(check)]
fn every_route_is_in_the_openapi_document() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("not JSON");
    let paths = document["paths"].as_object().expect("no paths");
    let operations = paths.values().flat_map(|item| item.as_object().unwrap());
    let mut expected: Vec<&str> = operations
        .map(|(_, operation)| operation["operationId"].as_str().expect("no id"))
        .collect();
    let mut declared = Vec::new();
    let sources = sources(&root().join("src/routes"));
    let texts: Vec<String> = sources
        .iter()
        .map(|source| fs::read_to_string(source).expect("not UTF-8"))
        .collect();
    for (source, text) in sources.iter().zip(&texts) {
        for direct in ["web::resource(", "web::scope(", ".service(", ".route("] {
            assert!(!text.contains(direct), "{} has {direct}", source.display());
        }
        for handler in text.split("#[utoipa::path(").skip(1) {
            let (_, id) = handler.split_once("operation_id = \"").expect("no id");
            declared.push(id.split('"').next().expect("no end"));
        }
    }
    expected.sort_unstable();
    declared.sort_unstable();
    assert_eq!(declared, expected);
}

#[apply(behaviour)]
async fn the_openapi_document_and_the_router_agree(fixture: Fixture) {
    let service = fixture.serve().await;
    let document = service
        .call("GET", "/openapi.json", None, None)
        .await
        .expect(200)
        .json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "/");
    let paths = document["paths"].as_object().unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        let methods: BTreeSet<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        let probe = path
            .replace("{id}", "1")
            .replace("{external_id}", "x")
            .replace("{position}", "1")
            .replace("{slug}", "not-found");
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
    assert_eq!(operations.len(), 59);
}

#[apply(behaviour)]
async fn swagger_ui_loads_nothing_from_other_hosts(fixture: Fixture) {
    let service = fixture.serve().await;
    let answer = service.call("GET", "/docs", None, None).await.expect(200);
    let policy = answer.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        let found = policy.split("; ").any(|other| other == directive);
        assert!(found, "{policy}");
    }
    let page = answer.text;
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
