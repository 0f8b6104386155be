//! Metadata of posts.

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use super::feed::paging::{every_page, ids};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_numbered, postgres_behaviour,
    service::{Answer, Service, User},
    wait_for,
};

/// Creates a post with `metadata`, as this JSON.
async fn publish(service: &Service, user: &User, metadata: &str) -> Answer {
    let body = format!(r#"{{"title": "t", "content": "c", "metadata": {metadata}}}"#);
    let request = service.request("POST", "/posts").bearer_auth(&user.token);
    let request = request
        .header("content-type", "application/json")
        .body(body);
    Answer::of(request.send().await.expect("no answer")).await
}

#[apply(behaviour)]
async fn metadata_is_kept_as_it_was_sent(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for metadata in [
        "{}",
        r#"{ "b": 1.0,  "a": [1e2, -0.0], "c": {"d": "\u00e4 \"\\ ä", "": null} }"#,
        r#"{"id":123456789012345678901234567890,"exact":0.10000000000000000000000001,"e":1E+2}"#,
        "{\"line\":\n\t\"break\"}",
    ] {
        let new = publish(&service, &ada, metadata).await.expect(201);
        let kept = format!("\"metadata\":{metadata}");
        let path = format!("/posts/{}", new.json()["id"]);
        for answer in [
            &new,
            &service.get(&path, &ada).await,
            &service.get("/posts?limit=1", &ada).await,
            &service.get("/users/me/export", &ada).await,
        ] {
            assert!(answer.text.contains(&kept), "{}", answer.text);
        }
    }
    let path = format!(
        "/posts/{}",
        ids(&service.get("/posts?limit=1", &ada).await)[0]
    );
    let send = async |method: &str, body: Value| {
        let answer = service.call(method, &path, Some(&ada), Some(body)).await;
        answer.expect(200).json()["metadata"].clone()
    };
    assert_eq!(
        send("PATCH", json!({"title": "New"})).await,
        json!({"line": "break"})
    );
    assert_eq!(
        send("PATCH", json!({"metadata": {"a": 1}})).await,
        json!({"a": 1})
    );
    assert_eq!(send("PATCH", json!({"metadata": null})).await, Value::Null);
    let full = |metadata: Value| json!({"title": "t", "content": "c", "metadata": metadata});
    assert_eq!(send("PUT", full(json!({"b": 2}))).await, json!({"b": 2}));
    assert_eq!(
        send("PUT", json!({"title": "t", "content": "c"})).await,
        Value::Null
    );
}

#[apply(behaviour)]
async fn metadata_that_a_database_would_refuse_or_change_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(4_096 - 7));
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(254));
    for (metadata, code) in [
        ("[]", "type"),
        ("1", "type"),
        (r#""{}""#, "type"),
        (&*long, "length"),
        (&*many, "length"),
        (r#"{"a": "\u0000"}"#, "nul"),
        (r#"{"a": "\ud800"}"#, "format"),
        (r#"{"a": 1, "a": 2}"#, "duplicate"),
        (r#"{"a": 1e999}"#, "range"),
    ] {
        let refused = publish(&service, &ada, metadata).await;
        assert_eq!(refused.field_errors(), [format!("metadata {code}")]);
    }
    publish(&service, &ada, r#"{"a"}"#).await.problem(400);
    let longest = long.replacen("xx", "x", 1);
    assert_eq!(longest.len(), 4_096);
    publish(&service, &ada, &longest).await.expect(201);
    let many = many.replacen("0,", "", 1);
    publish(&service, &ada, &many).await.expect(201);
}

/// The filters of one list, and whether each of [`VALUES`] matches.
type Case = (&'static str, &'static [&'static str]);

/// Values of the member `k`.
const VALUES: [&str; 20] = [
    "1",
    "1.0",
    "10e-1",
    "\"1\"",
    "\"1.0\"",
    "-1",
    "0",
    "-0.0",
    "9007199254740993",
    "9007199254740992.0",
    "0.1000000000000000055511151231257827",
    "0.1",
    "1e300",
    "true",
    "\"true\"",
    "null",
    "\"\u{e4}\\u00e4\"",
    "[1]",
    "{\"k\": 1}",
    "\"\"",
];

const CASES: [Case; 17] = [
    ("1", &["1", "1.0", "10e-1", "\"1\""]),
    ("1.0", &["1", "1.0", "10e-1", "\"1.0\""]),
    ("1e0", &["1", "1.0", "10e-1"]),
    ("-1", &["-1"]),
    ("0", &["0", "-0.0"]),
    ("-0", &["0", "-0.0"]),
    ("9007199254740993", &["9007199254740993"]),
    ("9007199254740993.0", &["9007199254740993"]),
    ("9007199254740992", &["9007199254740992.0"]),
    ("0.1", &["0.1"]),
    ("1E-1", &["0.1"]),
    ("1000e297", &["1e300"]),
    ("true", &["true", "\"true\""]),
    ("null", &["null"]),
    ("\u{e4}\u{e4}", &["\"\u{e4}\\u00e4\""]),
    ("01", &[]),
    ("", &["\"\""]),
];

#[apply(behaviour)]
async fn lists_are_filtered_by_members_of_metadata(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Without metadata").await;
    let mut posts = Vec::new();
    for value in VALUES {
        let metadata = format!("{{\"other\": 1, \"k\": {value}}}");
        let new = publish(&service, &ada, &metadata).await.expect(201).json();
        posts.push((value, new["id"].as_i64().unwrap()));
    }
    let list = async |filters: &[(&str, &str)]| {
        let request = service.request("GET", "/posts").query(filters);
        let request = request.query(&[("limit", "100"), ("sort", "old")]);
        let request = request.bearer_auth(&ada.token);
        let answer = Answer::of(request.send().await.unwrap()).await.expect(200);
        let found = ids(&answer).into_iter();
        let value = |id| {
            posts
                .iter()
                .find(|post| post.1 == id)
                .expect("another post")
                .0
        };
        found.map(value).collect::<Vec<_>>()
    };
    for (value, expected) in CASES {
        assert_eq!(list(&[("metadata.k", value)]).await, expected, "{value}");
    }
    assert_eq!(list(&[("metadata.other", "1")]).await.len(), VALUES.len());
    let both = [("metadata.other", "1"), ("metadata.k", "true")];
    assert_eq!(list(&both).await.len(), 2);
    assert!(
        list(&[("metadata.other", "2"), ("metadata.k", "true")])
            .await
            .is_empty()
    );
    let searched = [("metadata.k", "-1"), ("search", "c")];
    assert_eq!(list(&searched).await, ["-1"]);

    // Names that need care in SQL and in paths of JSON.
    for name in ["a.b", "a'b", "$", "[0]", "a b", "\u{e4}", "?", "*", "#"] {
        let metadata = json!({name: 5}).to_string();
        publish(&service, &ada, &metadata).await.expect(201);
        let request = service.request("GET", "/posts").bearer_auth(&ada.token);
        let request = request.query(&[(format!("metadata.{name}"), "5")]);
        let answer = Answer::of(request.send().await.unwrap()).await.expect(200);
        assert_eq!(ids(&answer).len(), 1, "{name}");
        assert_eq!(answer.json()[0]["metadata"][name], 5);
    }
    publish(&service, &ada, r#"{"\u0061\u00e4": 6}"#)
        .await
        .expect(201);
    let found = service
        .get("/posts?metadata.a%C3%A4=6", &ada)
        .await
        .expect(200);
    assert_eq!(ids(&found).len(), 1);
}

#[apply(behaviour)]
async fn filters_by_metadata_are_checked_and_kept_by_links(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let metadata = format!("{{\"kind\": \"even\", \"n\": {}}}", number % 2);
        let new = publish(&service, &ada, &metadata).await.expect(201).json();
        if number % 2 == 0 {
            expected.insert(0, new["id"].as_i64().unwrap());
        }
    }
    let path = "/posts?limit=1&metadata.n=0&metadata.kind=even&count=exact";
    assert_eq!(every_page(&service, &ada, path).await, expected);
    let first = service.get(path, &ada).await.expect(200);
    assert_eq!(first.header("x-total-count"), Some("3"));
    let long = format!("metadata.a={}", "x".repeat(1_001));
    for (query, error) in [
        ("metadata.a=1&metadata.a=2", "metadata.a duplicate"),
        (
            "metadata.a=1&metadata.b=2&metadata.c=3&metadata.d=4",
            "metadata length",
        ),
        ("metadata.=1", "metadata length"),
        ("metadata.a%22=1", "metadata format"),
        ("metadata.a%5C=1", "metadata format"),
        ("metadata.a=%00", "metadata nul"),
        (&*long, "metadata length"),
        ("metadata=1", "metadata type"),
    ] {
        let refused = service.get(&format!("/posts?{query}"), &ada).await;
        assert_eq!(refused.field_errors(), [error], "{query}");
    }
    service
        .get("/posts?limit.a=1&metadatax=1", &ada)
        .await
        .expect(200);
}

#[apply(behaviour)]
async fn indexes_find_posts_with_metadata(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let (setup, plan, scan) = if fixture.is_postgres() {
        (
            "SET LOCAL enable_seqscan = off",
            "EXPLAIN SELECT id FROM posts WHERE metadata IS NOT NULL
             AND (CAST(metadata AS jsonb) @> CAST('{\"a\": 1}' AS jsonb)
               OR CAST(metadata AS jsonb) @> CAST('{\"a\": \"1\"}' AS jsonb))",
            "Index Cond: ((metadata)::jsonb @>",
        )
    } else {
        (
            "SELECT 1",
            "EXPLAIN QUERY PLAN SELECT * FROM posts JOIN users ON users.id = owner_id
             WHERE published AND metadata IS NOT NULL AND metadata ->> '$.a' = '1'
             ORDER BY posts.id DESC LIMIT 11",
            "USING INDEX posts_metadata_idx",
        )
    };
    let connection = connection.begin().await.unwrap();
    connection.execute_unprepared(setup).await.unwrap();
    let statement = sea_orm::Statement::from_string(connection.get_database_backend(), plan);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult| {
        row.try_get::<String>("", "detail")
            .or_else(|_| row.try_get("", "QUERY PLAN"))
            .unwrap()
    };
    let plan: Vec<String> = rows.iter().map(text).collect();
    let uses = plan.iter().any(|line| line.contains(scan));
    assert!(uses, "{plan:#?}");
}

#[apply(postgres_behaviour)]
async fn a_filter_by_metadata_scans_the_index(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let connection = fixture.connect().await;
    let columns =
        "posts (owner_id, title, content, published, tags, created_at, updated_at, metadata)";
    let row = r#"id, 'Title', 'Words.', true, '', created_at, created_at,
        '{"station": ' || n || ', "kind": "sensor"}' FROM numbers, users"#;
    insert_numbered(&connection, 20_000, columns, row).await;
    connection.execute_unprepared("ANALYZE").await.unwrap();
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes
        WHERE indexrelname = 'posts_metadata_idx'";
    assert_eq!(column(&connection, scans).await, ["0"]);
    // More requests than PostgreSQL plans with the values of parameters.
    for station in 701..=710 {
        let path = format!("/posts?metadata.station={station}");
        let found = service.get(&path, &ada).await;
        assert_eq!(ids(&found.expect(200)).len(), 1);
    }
    // For each, one for the text, and one for the number.
    wait_for(&connection, scans, &["20"]).await;
}
