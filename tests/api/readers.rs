//! Lists that several readers ask for at once.

use std::sync::Arc;

use acclaim::{
    db::Db,
    services::posts::{Lists, Page, Post, Query, Sort},
};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;

use crate::{harness::Fixture, one_thread::on_one_thread, paging::fill};

on_one_thread![each_reader_is_given_a_list_as_if_alone];

/// Nobody; ada, who has a draft among every fifty posts; bob, who votes; and eve, whose drafts are
/// the newest posts of all, more than are on a page.
const READERS: [Option<i64>; 4] = [None, Some(1), Some(2), Some(3)];

/// What each of `readers` is given of the list, all of them at once.
async fn at_once(db: &Db, query: &Query, readers: &[Option<i64>]) -> Vec<String> {
    let lists: Lists<Vec<Post>> = Lists::default();
    // Whoever comes first is answered alone, all others together.
    let all = [&None].into_iter().chain(readers);
    let all = all.map(|reader| given(&lists, db, *reader, query));
    let pages = join_all(all).await.into_iter().skip(1);
    pages.map(|page| format!("{page:#?}")).collect()
}

async fn given(
    lists: &Lists<Vec<Post>>,
    db: &Db,
    reader: Option<i64>,
    query: &Query,
) -> Arc<Page<Vec<Post>>> {
    let make = |posts, page: Page<()>| Ok(page.of(posts));
    lists.page(db, reader, query.clone(), make).await.unwrap()
}

/// What is asked for besides the newest ten posts.
const CHANGES: [fn(&mut Query); 20] = [
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
    |query| query.published = Some(true),
    |query| query.published = Some(false),
    |query| query.voted = Some(true),
    |query| query.voted = Some(false),
    |query| query.skip = 3,
    |query| query.count = true,
];

fn query(change: fn(&mut Query)) -> Query {
    let mut query = Query {
        limit: 10,
        skip: 0,
        sort: Sort::New,
        position: None,
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
    for name in ["ada", "bob", "eve"] {
        service.user(name).await;
    }
    let connection = fixture.connect().await;
    fill(&fixture, &connection).await;
    for sql in [
        "INSERT INTO votes (post_id, user_id, created_at)
         SELECT id, id % 2 + 1, created_at FROM posts WHERE id % 7 < 3",
        "INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
         SELECT 3, 'Draft', 'Words.', id % 2 = 1, created_at, created_at FROM posts WHERE id > 2970",
    ] {
        connection.execute_unprepared(sql).await.expect("no rows");
    }
    let db = Db::open(&fixture.database()).await.unwrap();
    for mut query in CHANGES.map(query) {
        for _ in 0..3 {
            let mut alone = Vec::new();
            for reader in READERS {
                alone.push(given(&Lists::default(), &db, reader, &query).await);
            }
            let told: Vec<_> = alone.iter().map(|page| format!("{page:#?}")).collect();
            assert_eq!(at_once(&db, &query, &READERS).await, told, "{query:?}");
            // Without eve, whose drafts make everybody's page too short to be sure of.
            assert_eq!(
                at_once(&db, &query, &READERS[..3]).await,
                told[..3],
                "{query:?}"
            );
            query.position = alone[2].next;
            if query.position.is_none() {
                break;
            }
        }
    }
}
