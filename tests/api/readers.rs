//! Lists that several readers ask for at once.

use std::sync::Arc;

use acclaim::{
    db::Db,
    services::posts::{self, FeedPage, FeedQuery, Post, Sort},
};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use crate::{
    harness::{Fixture, behaviours},
    paging::fill,
    pool::begun_at_once,
};

behaviours![
    each_reader_is_given_a_list_as_if_alone,
    readers_of_a_list_share_a_query,
];

/// Nobody; ada, who has a draft among every fifty posts; bob, who votes; zoe, who does nothing; fay,
/// who is suspended; and eve, whose drafts are the newest posts of all, more than are on a page.
const READERS: [Option<i64>; 6] = [None, Some(1), Some(2), Some(3), Some(4), Some(5)];
const ZOE: usize = 3;
const EVE: usize = 5;

type Given = Arc<FeedPage<Vec<Post>>>;

/// What each of `readers` is given of the list, all of them at once.
async fn at_once(db: &Db, query: &FeedQuery, readers: &[Option<i64>]) -> Vec<Given> {
    // Whoever comes first is answered alone, and all who come meanwhile together.
    let all = [&None].into_iter().chain(readers);
    let all = all.map(|reader| given(db, *reader, query));
    join_all(all).await.into_iter().skip(1).collect()
}

fn told(pages: &[Given]) -> Vec<String> {
    pages.iter().map(|page| format!("{page:#?}")).collect()
}

async fn given(db: &Db, reader: Option<i64>, query: &FeedQuery) -> Given {
    let page = posts::page(db, reader, query.clone()).await.unwrap();
    posts_of(&page);
    page
}

fn posts_of(page: &Given) -> Vec<Post> {
    page.representation(|posts, _| Ok(posts)).unwrap()
}

/// What is asked for besides the newest ten posts.
const CHANGES: [fn(&mut FeedQuery); 25] = [
    |_| (),
    |query| query.sort = Sort::Old,
    |query| query.sort = Sort::Top,
    |query| query.sort = Sort::Hot,
    |query| query.search = "words".into(),
    |query| (query.sort, query.search) = (Sort::Old, "words".into()),
    |query| (query.sort, query.search) = (Sort::Top, "words".into()),
    |query| (query.sort, query.search) = (Sort::Best, "draft".into()),
    |query| (query.sort, query.search) = (Sort::Best, "words".into()),
    |query| query.search = "!".into(),
    |query| query.limit = 1,
    |query| query.limit = 100,
    |query| query.tag = Some("third".into()),
    |query| query.owner_id = Some(3),
    |query| (query.sort, query.tag) = (Sort::Hot, Some("third".into())),
    |query| (query.sort, query.owner_id) = (Sort::Top, Some(1)),
    |query| query.owner_id = Some(4),
    |query| query.created_after = OffsetDateTime::from_unix_timestamp(1_790_000_300).ok(),
    |query| (query.sort, query.created_before) = (Sort::Old, Some(OffsetDateTime::now_utc())),
    |query| query.published = Some(true),
    |query| query.published = Some(false),
    |query| query.voted = Some(true),
    |query| query.voted = Some(false),
    |query| query.skip = 3,
    |query| query.count = true,
];

fn query(change: fn(&mut FeedQuery)) -> FeedQuery {
    let mut query = FeedQuery {
        limit: 10,
        skip: 0,
        sort: Sort::New,
        cursor: None,
        search: String::new(),
        tag: None,
        owner_id: None,
        voted: None,
        published: None,
        created_after: None,
        created_before: None,
        count: false,
    };
    change(&mut query);
    query
}

async fn each_reader_is_given_a_list_as_if_alone(fixture: Fixture) {
    let service = fixture.serve().await;
    for name in ["ada", "bob", "zoe", "fay", "eve"] {
        service.user(name).await;
    }
    let connection = fixture.connect().await;
    fill(&fixture, &connection).await;
    for sql in [
        "INSERT INTO votes (post_id, user_id, created_at)
         SELECT id, id % 2 + 1, created_at FROM posts WHERE id % 7 < 3",
        "INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
         SELECT id % 2 + 4, 'Draft', 'Words.', id % 4 > 1, created_at, created_at FROM posts
         WHERE id > 2940",
        "UPDATE users SET suspended_at = created_at WHERE id = 4",
    ] {
        connection.execute_unprepared(sql).await.expect("no rows");
    }
    let db = Db::open(&fixture.database()).await.unwrap();
    for mut query in CHANGES.map(query) {
        let mut forth = true;
        for _ in 0..4 {
            let mut alone = Vec::new();
            for reader in READERS {
                alone.push(given(&db, reader, &query).await);
            }
            let expected = told(&alone);
            let all = at_once(&db, &query, &READERS).await;
            assert_eq!(told(&all), expected, "{query:?}");
            // Eve's drafts make everybody's page too short to be sure of.
            let others = at_once(&db, &query, &READERS[..EVE]).await;
            assert_eq!(told(&others), expected[..EVE], "{query:?}");
            // Two pages on, and one back.
            let place = if forth {
                alone[ZOE].next
            } else {
                alone[ZOE].prev
            };
            forth = query.cursor.is_none();
            query.cursor = place;
            if place.is_none() {
                break;
            }
        }
    }
}

async fn readers_of_a_list_share_a_query(fixture: Fixture) {
    let service = fixture.serve().await;
    for name in ["ada", "bob", "zoe"] {
        service.user(name).await;
    }
    fill(&fixture, &fixture.connect().await).await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let query = query(|_| ());
    let all = [Some(2), None, Some(3)].map(|reader| given(&db, reader, &query));
    let all = begun_at_once(&fixture, &db, join_all(all)).await;
    assert_eq!(posts_of(&all[0]), posts_of(&all[1]));
    assert!(!Arc::ptr_eq(&all[0], &all[1]));
    assert!(Arc::ptr_eq(&all[1], &all[2]));
}
