//! SQLite and PostgreSQL find the same posts.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};

use super::found;
use crate::harness::{Fixture, Kind, apply, column, postgres_behaviour, service::Service};

/// Characters that the databases might treat differently: ASCII, composed and decomposed letters,
/// case that changes length, scripts with marks, digits, joiners, old and new symbols, quotes,
/// operators, and the first and last of Unicode ranges.
const ALPHABET: &str = "aabbeEiIkKoosS  0١²-_'\"*:&|!()\\%=\t\u{a0}éÉeÀßẞſﬁİıŁøÆǄǅ\u{301}\u{308}\u{323}\u{345}\u{342}\u{20dd}ΣσςΆάйЙиёЁҐ字一あア한ㅎหิन्दी\u{200c}\u{200d}\u{ad}\u{feff}\u{fe0f}❤😀🦀🫠𐐀𐐨\u{e000}\u{fffd}\u{ffff}\u{1ffff}\u{e0001}\u{10fffe}\u{10ffff}";

/// Pseudo-random numbers (xorshift), the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end
    }

    fn text(&mut self, longest: usize) -> String {
        let alphabet: Vec<char> = ALPHABET.chars().collect();
        let length = 1 + self.below(longest);
        (0..length)
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }
}

/// Inserts posts directly, without requests.
async fn fill(connection: &DatabaseConnection, posts: &[(String, String)]) {
    let parameters = if connection.get_database_backend() == sea_orm::DbBackend::Postgres {
        "$1, $2"
    } else {
        "?, ?"
    };
    let insert = format!(
        "INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
        VALUES (1, {parameters}, true, '2026-11-21T06:00:42Z', '2026-11-21T06:00:42Z')"
    );
    for (title, content) in posts {
        let values = [Value::from(title.as_str()), Value::from(content.as_str())];
        let backend = connection.get_database_backend();
        let insert = Statement::from_sql_and_values(backend, &insert, values);
        connection.execute_raw(insert).await.unwrap();
    }
}

/// All indexed words with the id of their post. Words of titles have the prefix `=`.
async fn words(connection: &DatabaseConnection) -> BTreeSet<String> {
    if connection.get_database_backend() == sea_orm::DbBackend::Postgres {
        let sql = "SELECT id || ' ' || unnest(tsvector_to_array(search)) FROM posts";
        return column(connection, sql).await.into_iter().collect();
    }
    let mut words = BTreeSet::new();
    for (table, mark) in [("posts_search", ""), ("posts_titles", "=")] {
        let vocabulary = format!(
            "CREATE VIRTUAL TABLE temp.{table}_words USING fts5vocab(main, {table}, instance)"
        );
        connection.execute_unprepared(&vocabulary).await.unwrap();
        let sql = format!(
            "SELECT doc || ' {mark}' || substr(term, 1, 500) FROM temp.{table}_words WHERE term <> ''"
        );
        words.extend(column(connection, &sql).await);
    }
    words
}

/// Texts with every character of Unicode. Each character below U+20000 is in a word of its own. The
/// others share words of 400 characters, which would be split if one of them were a separator.
fn every_character() -> Vec<String> {
    let (near, far): (Vec<char>, Vec<char>) =
        ('\u{1}'..=char::MAX).partition(|character| *character < '\u{20000}');
    let mut texts: Vec<String> = near
        .chunks(3_000)
        .map(|some| {
            let word = |character: &char| format!("{:x}z{character}y", u32::from(*character));
            some.iter().map(word).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let far: Vec<String> = far.chunks(400).map(|some| some.iter().collect()).collect();
    texts.extend(far.chunks(90).map(|some| some.join(" ")));
    texts
}

#[apply(postgres_behaviour)]
async fn both_databases_index_every_character_alike(fixture: Fixture) {
    let other = Fixture::new(Kind::Sqlite).await;
    let mut dice = Dice(0x61_6363_6c61_696d);
    let mut posts: Vec<(String, String)> = every_character()
        .into_iter()
        .map(|content| (dice.text(300), content))
        .collect();
    posts.extend((0..100).map(|_| (dice.text(300), dice.text(2_000))));
    posts.extend([498, 499, 500, 501, 5_000].map(|length| {
        let word = "x\u{301}é".repeat(length / 2) + &"y".repeat(length % 2);
        ("Long".to_owned(), format!("a{word} {word}-b"))
    }));
    let mut found = Vec::new();
    for fixture in [&fixture, &other] {
        let service = fixture.serve().await;
        service.user("ada").await;
        let connection = fixture.connect().await;
        fill(&connection, &posts).await;
        found.push(words(&connection).await);
    }
    other.end().await;
    assert!(found[0].len() > 130_000, "{}", found[0].len());
    let differing: Vec<_> = found[0].symmetric_difference(&found[1]).take(20).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[apply(postgres_behaviour)]
async fn both_databases_return_the_same_results_in_the_same_order(fixture: Fixture) {
    let other = Fixture::new(Kind::Sqlite).await;
    let mut dice = Dice(0x7365_6172_6368);
    let posts: Vec<_> = (0..400).map(|_| (dice.text(12), dice.text(60))).collect();
    let mut services: Vec<Service> = Vec::new();
    for fixture in [&fixture, &other] {
        let service = fixture.serve().await;
        service.user("ada").await;
        fill(&fixture.connect().await, &posts).await;
        services.push(service);
    }
    let users = [
        services[0]
            .sign_in("ada", crate::harness::service::PASSWORD)
            .await,
        services[1]
            .sign_in("ada", crate::harness::service::PASSWORD)
            .await,
    ];
    let mut hits = 0;
    for number in 0..300 {
        let search = match number % 3 {
            0 => dice.text(3),
            1 => dice.text(12),
            // The beginning of an existing post.
            _ => posts[dice.below(posts.len())]
                .1
                .chars()
                .take(1 + number % 7)
                .collect(),
        };
        let more = [
            "limit=100",
            "limit=100&sort=old",
            "limit=100&owner_id=1",
            "limit=7&skip=3",
        ];
        let more = more[number % 4];
        let first = found(&services[0], &users[0], &search, more).await;
        let second = found(&services[1], &users[1], &search, more).await;
        assert_eq!(first, second, "{search:?} {more}");
        hits += first.len();
    }
    other.end().await;
    assert!(hits > 1_000, "{hits}");
}
