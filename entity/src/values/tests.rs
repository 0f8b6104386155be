use super::{ChosenPassword, Email, PostId, Scope, Scopes, Tags, Title, TokenLifetime, Username};

fn codes<T>(parsed: Result<T, super::Invalid>) -> Vec<String> {
    let invalid = parsed.err();
    let violations = invalid.iter().flat_map(super::Invalid::violations);
    violations.map(|(code, _)| code.to_owned()).collect()
}

#[test]
fn every_broken_rule_of_a_text_is_reported() {
    assert_eq!(codes(Title::parse("")), ["length"]);
    assert_eq!(codes(Title::parse("x".repeat(300))), [""; 0]);
    assert_eq!(codes(Title::parse("\u{1f600}".repeat(300))), [""; 0]);
    assert_eq!(codes(Title::parse(" ".repeat(301))), ["length", "blank"]);
    assert_eq!(codes(Title::parse("\0".repeat(301))), ["length", "nul"]);
    // The pattern is checked only if the length is right.
    assert_eq!(codes(Username::parse("\u{e4}")), ["length"]);
    assert_eq!(codes(Username::parse("\u{e4}da")), ["format"]);
}

#[test]
fn names_are_normalised_before_they_are_checked() {
    assert_eq!(Username::parse("Ada_1").unwrap().as_str(), "ada_1");
    // The Kelvin sign would become a `k`.
    assert_eq!(codes(Username::parse("\u{212a}ate")), ["format"]);
    let email = Email::parse(" Ada@Example.COM\t").unwrap();
    assert_eq!(email.as_str(), "ada@example.com");
    assert_eq!(codes(Email::parse("ada@example.com\n@")), ["format"]);
    assert!(Username::parse(Username::generate().as_str()).is_ok());
}

#[test]
fn a_repeated_tag_counts_once() {
    let tags = ["b", "a", "b"].map(str::to_owned);
    assert_eq!(
        Tags::parse(&tags).unwrap().iter().collect::<Vec<_>>(),
        ["b", "a"]
    );
    assert_eq!(codes(Tags::parse(&vec!["a".to_owned(); 11])), ["length"]);
    assert_eq!(codes(Tags::parse(&["A".to_owned()])), ["format"]);
}

#[test]
fn a_password_must_differ_from_the_names_of_its_user() {
    let password = ChosenPassword::parse("AdaLovelace").unwrap();
    let names = |email, username| {
        let (email, username) = (
            Email::parse(email).unwrap(),
            Username::parse(username).unwrap(),
        );
        password.check_names(Some(&email), Some(&username)).is_ok()
    };
    assert!(names("ada@example.com", "ada"));
    assert!(!names("adalovelace@example.com", "ada"));
    assert!(!names("ada@example.com", "adalovelace"));
    assert_eq!(codes(ChosenPassword::parse("password")), ["common"]);
    assert_eq!(
        format!("{password:?}"),
        "ChosenPassword(SecretBox<str>([REDACTED]))"
    );
}

#[test]
fn numbers_keep_their_bounds() {
    assert_eq!(codes(PostId::parse(0)), ["range"]);
    assert_eq!(
        "9223372036854775807".parse::<PostId>().unwrap().get(),
        i64::MAX
    );
    assert_eq!(codes("9223372036854775808".parse::<PostId>()), ["type"]);
    for text in [
        "-1", "+1", "01", "0001", "0", "-0", "1 ", "1.0", "\u{661}", "",
    ] {
        assert_eq!(codes(text.parse::<PostId>()), ["type"], "{text}");
    }
    assert_eq!(TokenLifetime::parse(31_536_000).unwrap().get(), 31_536_000);
    assert_eq!(codes(TokenLifetime::parse(31_536_001)), ["range"]);
}

#[test]
fn a_set_of_scopes_is_stored_by_name() {
    let set = Scopes::of(&[Scope::Account, Scope::PostsRead]);
    assert_eq!(set.to_string(), "posts:read account");
    assert_eq!("account posts:read".parse(), Ok(set));
    assert_eq!(
        "posts:fly account".parse(),
        Ok(Scopes::of(&[Scope::Account]))
    );
    assert_eq!("".parse(), Ok(Scopes::NONE));
    assert_eq!(Scopes::ALL.iter().count(), Scope::ALL.len());
    assert_eq!(codes(Scopes::parse(&[])), ["length"]);
}
