//! Expensive lists are bounded and do not hold up other requests.

use std::{collections::BTreeSet, time::Duration};

use acclaim::{
    config::Origins,
    services::posts::feed::{FeedQuery, Sort},
};
use entity::values::FeedSkip;
use futures_util::{StreamExt, stream::FuturesUnordered};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use socket2::SockRef;
use time::OffsetDateTime;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::shared::{query, search, user};
use crate::harness::{
    Fixture, apply, behaviour, check, postgres_behaviour,
    service::{Answer, Service},
    wait_for,
};

/// More than a caller may have in progress or waiting.
const MANY: u32 = 33;
const TOO_MANY: &str = "/problems/too-many-expensive-reads";
const BUSY: &str = "/problems/service-busy";
const TOO_SLOW: &str = "/problems/list-too-slow";
/// The lists of the tag `slow` that PostgreSQL runs.
const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity \
                        WHERE wait_event = 'PgSleep' AND datname = current_database()";

/// Replaces the table of tags. The view makes lists slow or long without a large table.
async fn replace_tags(fixture: &Fixture, kind: &str, select: &str) {
    let connection = fixture.connect().await;
    let sql = format!("DROP {kind} post_tags; CREATE VIEW post_tags AS {select}");
    for sql in sql.split("; ") {
        connection.execute_unprepared(sql).await.expect(sql);
    }
    fixture.grant().await;
}

/// Lists of the tag `slow` never end by themselves.
async fn make_tags_slow(fixture: &Fixture) {
    let select = if fixture.is_postgres() {
        "SELECT CAST('slow' AS varchar) AS tag, CAST(1 AS bigint) AS post_id FROM pg_sleep(3600)"
    } else {
        "WITH RECURSIVE endless (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless)
         SELECT 'slow' AS tag, 1 AS post_id FROM endless WHERE n < 0"
    };
    replace_tags(fixture, "TABLE", select).await;
}

fn problem_type(answer: &Answer) -> String {
    let problem = answer.problem(answer.status);
    problem["type"].as_str().unwrap().to_owned()
}

/// Requests that need no free place of expensive lists.
async fn assert_others_work(service: &Service, id: i64) {
    let post = format!("/posts/{id}");
    for path in ["/health/ready", post.as_str(), "/posts", "/posts?sort=top"] {
        service.call("GET", path, None, None).await.expect(200);
    }
}

#[apply(behaviour)]
async fn the_expensive_lists_of_one_caller_do_not_hold_up_others(fixture: Fixture) {
    let service = fixture.serve_as(true, Origins::Any).await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let id = service.new_post(&ada, "Title").await;
    make_tags_slow(&fixture).await;
    let (service, ada) = (&service, &ada);
    let mut slow: FuturesUnordered<_> = (1..=MANY)
        .map(|limit| async move {
            let path = format!("/posts?tag=slow&sort=top&limit={limit}");
            service.get(&path, ada).await
        })
        .collect();
    // The one that comes last is refused at once. The others run or wait.
    let refused = slow.next().await.unwrap();
    assert_eq!(
        (refused.status, problem_type(&refused)),
        (429, TOO_MANY.into())
    );
    let found = service.get("/posts?search=title", &bob).await.expect(200);
    assert_eq!(found.json()[0]["id"], id);
    assert_others_work(service, id).await;
    let rest: BTreeSet<_> = slow.map(|answer| problem_type(&answer)).collect().await;
    assert_eq!(rest, BTreeSet::from([TOO_MANY.into(), TOO_SLOW.into()]));
    let found = service.get("/posts?search=title", ada).await.expect(200);
    assert_eq!(found.json()[0]["id"], id);
}

#[apply(behaviour)]
async fn the_expensive_lists_of_all_callers_do_not_hold_up_others(fixture: Fixture) {
    let service = fixture.serve_as(true, Origins::Any).await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    make_tags_slow(&fixture).await;
    // With different limits, because anonymous clients share the query of equal lists.
    let slow = (2..=30).flat_map(|address| {
        let client = service.from([127, 0, 0, address]);
        [2 * address, 2 * address + 1].map(|limit| {
            let client = client.clone();
            async move {
                let path = format!("/posts?tag=slow&sort=top&limit={limit}");
                let answer = client.call("GET", &path, None, None).await;
                assert_eq!(answer.status, 503);
                problem_type(&answer)
            }
        })
    });
    let mut slow: FuturesUnordered<_> = slow.collect();
    let mut types = BTreeSet::new();
    while !types.contains(BUSY) {
        types.insert(slow.next().await.expect("none was refused"));
    }
    assert_others_work(&service, id).await;
    types.extend(slow.collect::<Vec<_>>().await);
    assert_eq!(types, BTreeSet::from([BUSY.into(), TOO_SLOW.into()]));
}

/// PostgreSQL runs a statement for up to a second after its client has disconnected. Until then, the
/// caller may not begin another instead.
#[apply(postgres_behaviour)]
async fn a_list_that_is_reset_counts_as_long_as_its_statement_runs(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let connection = fixture.connect().await;
    // The tag `alone` has the post if no list of the tag `slow` runs.
    let select = format!(
        "SELECT CAST('slow' AS varchar) AS tag, CAST(1 AS bigint) AS post_id FROM pg_sleep(3600)
         UNION ALL SELECT CAST('alone' AS varchar), CAST({id} AS bigint) WHERE ({SLEEPING}) = 0"
    );
    replace_tags(&fixture, "TABLE", &select).await;
    let mut reset = Vec::new();
    for limit in [1, 2] {
        let address = service.base.trim_start_matches("http://");
        let mut client = TcpStream::connect(address).await.expect("no connection");
        let request = format!(
            "GET /posts?tag=slow&sort=top&limit={limit} HTTP/1.1\r\nHost: acclaim\r\n\
             Authorization: Bearer {}\r\n\r\n",
            ada.token
        );
        let sent = client.write_all(request.as_bytes()).await;
        sent.expect("cannot write");
        let linger = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        linger.expect("no linger");
        reset.push(client);
    }
    wait_for(&connection, SLEEPING, &["2"]).await;
    drop(reset);
    let list = service.get("/posts?tag=alone&sort=top", &ada).await;
    assert_eq!(list.expect(200).json()[0]["id"], id);
}

#[apply(behaviour)]
async fn a_list_is_counted_up_to_a_bound(fixture: Fixture) {
    const MAX: u32 = 250_000;
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Title").await;
    let path = "/posts?tag=many&count=exact&limit=1";
    for (kind, count) in [("TABLE", MAX), ("VIEW", MAX + 1)] {
        let many = format!(
            "WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
             SELECT CAST('many' AS varchar(30)) AS tag, CAST(1 AS bigint) AS post_id FROM numbers"
        );
        replace_tags(&fixture, kind, &many).await;
        let answer = service.get(path, &ada).await;
        if count == MAX {
            let total = answer
                .expect(200)
                .header("x-total-count")
                .map(str::to_owned);
            assert_eq!(total, Some(MAX.to_string()));
        } else {
            assert_eq!(answer.field_errors(), ["count range"]);
            let detail = answer.json()["detail"].clone();
            assert!(detail.as_str().unwrap().contains("`cursor`"), "{detail}");
        }
    }
    // Without the count, the page is there.
    let page = service.get("/posts?tag=many&limit=1", &ada).await;
    assert!(matches!(page.expect(200).json(), Value::Array(posts) if posts.len() == 1));
}

#[apply(check)]
fn lists_without_an_index_are_expensive() {
    let cheap: [fn(&mut FeedQuery); 10] = [
        |_| (),
        |query| query.sort = Sort::Old,
        |query| query.sort = Sort::Top,
        |query| query.sort = Sort::Hot,
        |query| query.tag = "tag".parse().ok(),
        |query| query.owner_id = Some(user(1)),
        |query| query.voted = Some(true),
        |query| query.published = Some(true),
        |query| query.created_after = Some(OffsetDateTime::UNIX_EPOCH),
        |query| query.skip = FeedSkip::parse(1000).unwrap(),
    ];
    for change in cheap {
        assert!(!query(change).is_expensive(), "{:?}", query(change));
    }
    let expensive: [fn(&mut FeedQuery); 8] = [
        |query| query.count = true,
        |query| query.skip = FeedSkip::parse(1001).unwrap(),
        |query| query.search = search("word"),
        |query| query.voted = Some(false),
        |query| query.published = Some(false),
        |query| (query.sort, query.owner_id) = (Sort::Hot, Some(user(1))),
        |query| (query.voted, query.owner_id) = (Some(true), Some(user(1))),
        |query| {
            query.tag = "tag".parse().ok();
            query.created_before = Some(OffsetDateTime::UNIX_EPOCH);
        },
    ];
    for change in expensive {
        assert!(query(change).is_expensive(), "{:?}", query(change));
    }
}
