//! Lists that several readers ask for at once.

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

fn make(posts: Vec<Post>, page: Page<()>) -> Result<Page<Vec<Post>>, String> {
    Ok(page.of(posts))
}

/// What each of `readers` is given of the list, all of them at once.
async fn at_once(db: &Db, query: &Query, readers: &[Option<i64>]) -> Vec<String> {
    let lists = Lists::default();
    // Whoever comes first is answered alone, all others together.
    let all = [&None].into_iter().chain(readers);
    let all = all.map(|reader| lists.page(db, *reader, query.clone(), make));
    let pages = join_all(all).await.into_iter().skip(1);
    pages.map(|page| format!("{:#?}", page.unwrap())).collect()
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
    let plain = Query {
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
    let search = |word: &str| word.to_owned();
    let mut queries = Vec::new();
    for sort in [Sort::New, Sort::Old, Sort::Top, Sort::Hot] {
        queries.push(Query {
            sort,
            ..plain.clone()
        });
        queries.push(Query {
            sort,
            search: search("words"),
            ..plain.clone()
        });
    }
    queries.extend([
        Query {
            sort: Sort::Best,
            search: search("draft"),
            ..plain.clone()
        },
        Query {
            sort: Sort::Best,
            search: search("!"),
            ..plain.clone()
        },
        Query {
            limit: 1,
            ..plain.clone()
        },
        Query {
            limit: 100,
            ..plain.clone()
        },
        Query {
            tag: Some("third".into()),
            ..plain.clone()
        },
        Query {
            owner_id: Some(3),
            ..plain.clone()
        },
        Query {
            published: Some(true),
            ..plain.clone()
        },
        Query {
            published: Some(false),
            ..plain.clone()
        },
        Query {
            voted: Some(true),
            ..plain.clone()
        },
        Query {
            voted: Some(false),
            ..plain.clone()
        },
        Query {
            skip: 3,
            ..plain.clone()
        },
        Query {
            count: true,
            ..plain
        },
    ]);
    for mut query in queries {
        for _ in 0..3 {
            let mut alone = Vec::new();
            for reader in READERS {
                let page = Lists::default()
                    .page(&db, reader, query.clone(), make)
                    .await;
                alone.push(page.unwrap());
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
