//! Lists that several viewers request at the same time.

use std::sync::Arc;

use acclaim::{
    db::Db,
    services::{
        paging::Page,
        posts::{
            PostView,
            feed::{self, FeedCursor, FeedQuery, FeedRepresentation, Sort},
        },
    },
};
use entity::values::{FeedSkip, Limit, MetadataFilters, SearchText, UserId};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use super::paging::fill;
use crate::{
    db::pool::start_while_saturated,
    harness::{Fixture, apply, behaviour},
};

/// Anonymous; ada, with a draft in every fifty posts; bob, with votes; zoe, without drafts and votes;
/// fay, suspended; eve, with more drafts at the top of the list than fit on a page.
const VIEWERS: [Option<i64>; 6] = [None, Some(1), Some(2), Some(3), Some(4), Some(5)];
const ZOE: usize = 3;
const EVE: usize = 5;

type SharedPage = Arc<PageRepresentation>;

/// The page, unchanged.
struct PageRepresentation(Page<PostView, FeedCursor>);

impl FeedRepresentation for PageRepresentation {
    fn of(page: Page<PostView, FeedCursor>) -> Self {
        Self(page)
    }
}

/// The pages of all `viewers`, requested at the same time.
async fn read_concurrently(db: &Db, query: &FeedQuery, viewers: &[Option<i64>]) -> Vec<SharedPage> {
    // The first request runs alone. The following ones share a query.
    let all = [&None].into_iter().chain(viewers);
    let all = all.map(|viewer| read_page(db, *viewer, query));
    join_all(all).await.into_iter().skip(1).collect()
}

fn debug_texts(pages: &[SharedPage]) -> Vec<String> {
    pages.iter().map(|page| format!("{:#?}", page.0)).collect()
}

async fn read_page(db: &Db, viewer: Option<i64>, query: &FeedQuery) -> SharedPage {
    let viewer = viewer.map(user);
    feed::page(db, viewer, query).await.unwrap()
}

pub fn user(id: i64) -> UserId {
    UserId::parse(id).unwrap()
}

pub fn search(text: &str) -> SearchText {
    text.parse().unwrap()
}

/// Changes to a query for the ten newest posts.
const CHANGES: [fn(&mut FeedQuery); 25] = [
    |_| (),
    |query| query.sort = Sort::Old,
    |query| query.sort = Sort::Top,
    |query| query.sort = Sort::Hot,
    |query| query.search = search("words"),
    |query| (query.sort, query.search) = (Sort::Old, search("words")),
    |query| (query.sort, query.search) = (Sort::Top, search("words")),
    |query| (query.sort, query.search) = (Sort::Best, search("draft")),
    |query| (query.sort, query.search) = (Sort::Best, search("words")),
    |query| query.search = search("!"),
    |query| query.limit = Limit::parse(1).unwrap(),
    |query| query.limit = Limit::MAX,
    |query| query.tag = "third".parse().ok(),
    |query| query.owner_id = Some(user(3)),
    |query| (query.sort, query.tag) = (Sort::Hot, "third".parse().ok()),
    |query| (query.sort, query.owner_id) = (Sort::Top, Some(user(1))),
    |query| query.owner_id = Some(user(4)),
    |query| query.created_after = OffsetDateTime::from_unix_timestamp(1_790_000_300).ok(),
    |query| (query.sort, query.created_before) = (Sort::Old, Some(OffsetDateTime::now_utc())),
    |query| query.published = Some(true),
    |query| query.published = Some(false),
    |query| query.voted = Some(true),
    |query| query.voted = Some(false),
    |query| query.skip = FeedSkip::parse(3).unwrap(),
    |query| query.count = true,
];

pub fn query(change: fn(&mut FeedQuery)) -> FeedQuery {
    let mut query = FeedQuery {
        limit: Limit::default(),
        skip: FeedSkip::default(),
        sort: Sort::New,
        cursor: None,
        search: SearchText::default(),
        tag: None,
        owner_id: None,
        voted: None,
        published: None,
        created_after: None,
        created_before: None,
        metadata: MetadataFilters::default(),
        count: false,
    };
    change(&mut query);
    query
}

#[apply(behaviour)]
async fn a_shared_list_equals_the_list_of_a_single_viewer(fixture: Fixture) {
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
        "UPDATE posts SET external_id = CAST(id AS text) WHERE id % 3 = 0",
        "UPDATE users SET suspended_at = created_at WHERE id = 4",
    ] {
        connection.execute_unprepared(sql).await.expect(sql);
    }
    let db = Db::open(&fixture.database()).await.unwrap();
    for mut query in CHANGES.map(query) {
        let mut forward = true;
        for _ in 0..4 {
            let mut separate = Vec::new();
            for viewer in VIEWERS {
                separate.push(read_page(&db, viewer, &query).await);
            }
            let expected = debug_texts(&separate);
            let all = read_concurrently(&db, &query, &VIEWERS).await;
            assert_eq!(debug_texts(&all), expected, "{query:?}");
            // Without Eve, because her drafts leave every shared page short.
            let others = read_concurrently(&db, &query, &VIEWERS[..EVE]).await;
            assert_eq!(debug_texts(&others), expected[..EVE], "{query:?}");
            // Two pages forward and one back.
            let cursor = if forward {
                separate[ZOE].0.next
            } else {
                separate[ZOE].0.prev
            };
            forward = query.cursor.is_none();
            query.cursor = cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
}

#[apply(behaviour)]
async fn concurrent_viewers_of_a_list_share_a_query(fixture: Fixture) {
    let service = fixture.serve().await;
    for name in ["ada", "bob", "zoe"] {
        service.user(name).await;
    }
    fill(&fixture, &fixture.connect().await).await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let query = query(|_| ());
    let all = [Some(2), None, Some(3)].map(|viewer| read_page(&db, viewer, &query));
    let all = start_while_saturated(&fixture, &db, join_all(all)).await;
    assert_eq!(all[0].0, all[1].0);
    assert!(!Arc::ptr_eq(&all[0], &all[1]));
    assert!(Arc::ptr_eq(&all[1], &all[2]));
}
