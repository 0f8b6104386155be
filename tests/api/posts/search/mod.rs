//! `GET /posts?search=`

mod merges;
mod order;
mod parity;

use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Service, User},
};

pub async fn write(service: &Service, user: &User, title: &str, content: &str) -> i64 {
    let body = json!({"title": title, "content": content});
    let post = service.post("/posts", user, body).await.expect(201).json();
    post["id"].as_i64().unwrap()
}

/// The ids of the posts that match `search` and the other query parameters in `more`.
pub async fn found(service: &Service, user: &User, search: &str, more: &str) -> Vec<i64> {
    let request = service.request("GET", &format!("/posts?{more}"));
    let request = request.query(&[("search", search)]);
    let answer = request.bearer_auth(&user.token).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{search:?} {more}");
    let list: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let list = list.as_array().unwrap().iter();
    list.map(|post| post["id"].as_i64().unwrap()).collect()
}

#[apply(behaviour)]
async fn the_last_word_matches_as_a_prefix(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let engine = write(&service, &ada, "Analytical engines", "Weave.").await;
    let note = write(&service, &ada, "Notes", "On an engine, by Ada.").await;
    for (search, ids) in [
        ("engine", vec![engine, note]),
        ("engin", vec![engine, note]),
        ("ENGINES", vec![engine]),
        ("e", vec![engine, note]),
        ("engine note", vec![note]),
        ("note engine", vec![]),
        ("notes engine", vec![note]),
        ("weave engines", vec![engine]),
        ("ngine", vec![]),
        ("engine engine", vec![note]),
    ] {
        assert_eq!(found(&service, &ada, search, "").await, ids, "{search}");
    }
}

/// Both databases must agree for each pair whether the two texts match.
#[apply(behaviour)]
async fn both_databases_fold_letters_alike(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for (written, asked, same) in [
        ("café", "CAFE", true),
        ("École", "e\u{301}cole", true),
        ("phở", "pho", true),
        ("naïve", "NAÏVE", true),
        ("Łódź", "łodz", true),
        ("Łódź", "lodz", false),
        ("Straße", "STRASSE", false),
        ("STRAẞE", "straße", true),
        ("İzmir", "izmir", true),
        ("ırmak", "irmak", false),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", true),
        ("Ελλάδα", "ελλαδα", false),
        ("Йод", "йод", true),
        ("Йод", "иод", false),
        ("Ёлка", "ёлка", true),
        ("ﬁsh", "fish", false),
        ("K", "k", true),
        ("東京タワー", "東京", true),
        ("東京タワー", "京", false),
        ("한국어", "한국", true),
        ("हिन्दी", "हिन", true),
        ("हिन्दी", "ह", true),
        ("हिन्दी", "न्दी", false),
        ("ภาษาไทย", "ภาษา", true),
        ("🦀", "🦀", true),
        ("I❤\u{fe0f}Rust", "rust", true),
        ("Ａ", "a", false),
        ("x²", "x", true),
        ("\u{10ffff}", "\u{10ffff}", true),
    ] {
        let post = write(&service, &ada, "Word", written).await;
        let ids = found(&service, &ada, asked, "limit=1").await;
        assert_eq!(ids == [post], same, "{written} {asked}");
        let body = json!({"title": "Gone", "content": "Gone"});
        let path = format!("/posts/{post}");
        service
            .call("PUT", &path, Some(&ada), Some(body))
            .await
            .expect(200);
    }
}

#[apply(behaviour)]
async fn no_character_is_an_operator(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = write(&service, &ada, "foo bar", "near or not title baz").await;
    for search in [
        "\"foo",
        "foo\" bar",
        "foo*",
        "*bar",
        "bar-foo",
        "-foo",
        "+foo",
        "^foo",
        "foo OR bar",
        "NOT foo",
        "NEAR(foo bar)",
        "title:foo",
        "title : foo",
        "{title} : foo",
        "foo:*",
        "foo:B",
        "!foo",
        "foo & bar",
        "foo | bar",
        "foo <-> bar",
        "'foo'",
        "foo''bar",
        "\\foo",
        "foo\\'",
        "%foo_bar%",
        "(foo",
        "foo)",
        "=foo",
        "foo;bar",
        "$1 foo".split_at(2).1,
        "?foo",
        "--foo",
        "/*foo*/",
        "foo\tbar\r\nbaz",
        "\u{a0}foo\u{2028}bar",
    ] {
        assert_eq!(found(&service, &ada, search, "").await, [post], "{search}");
    }
    for search in [
        "foo OR quux",
        "foo NOT quux",
        "content:foo",
        "rank:foo",
        "foo | quux",
        "fo* baz",
    ] {
        assert!(
            found(&service, &ada, search, "").await.is_empty(),
            "{search}"
        );
    }
}

#[apply(behaviour)]
async fn text_without_words_finds_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = write(&service, &ada, "?!", "…").await;
    for search in ["", " ", "\t\n", "\u{3000}"] {
        assert_eq!(
            found(&service, &ada, search, "").await,
            [post],
            "{search:?}"
        );
    }
    for search in ["?", "...", "\"\"", "*", "😀", "\u{301}", "\u{fe0f}"] {
        for sort in ["", "sort=new", "sort=old&owner_id=1"] {
            assert!(
                found(&service, &ada, search, sort).await.is_empty(),
                "{search:?}"
            );
        }
    }
}

#[apply(behaviour)]
async fn long_words_match_by_their_indexed_prefix(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for letter in ["x", "é", "字", "𐐀"] {
        let word = |length| letter.repeat(length);
        let shorter = write(&service, &ada, "Words", &word(499)).await;
        let full = write(&service, &ada, "Words", &format!("a {} b", word(500))).await;
        let longer = write(&service, &ada, "Words", &word(40_000)).await;
        for (length, ids) in [
            (498, vec![longer, full, shorter]),
            (499, vec![longer, full, shorter]),
            (500, vec![longer, full]),
            (501, vec![longer, full]),
            (1000, vec![longer, full]),
        ] {
            assert_eq!(
                found(&service, &ada, &word(length), "").await,
                ids,
                "{letter} {length}"
            );
        }
        let exact = |length| format!("{} words", word(length));
        assert_eq!(found(&service, &ada, &exact(499), "").await, [shorter]);
        assert_eq!(found(&service, &ada, &exact(501), "").await, [longer, full]);
    }
}

#[apply(behaviour)]
async fn every_word_of_the_longest_query_is_matched(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let letters: Vec<String> = ('\u{4e00}'..).take(500).map(String::from).collect();
    let all = write(&service, &ada, "All", &letters.join(" ")).await;
    let all_except_one = write(&service, &ada, "But one", &letters[1..].join(" ")).await;
    assert_eq!(
        found(&service, &ada, &letters.join(" ")[..1999 - 4], "").await,
        [all]
    );
    assert_eq!(
        found(&service, &ada, &letters[1..].join(" "), "").await,
        [all_except_one, all]
    );
    assert_eq!(found(&service, &ada, &"all ".repeat(250), "").await, [all]);
}
