//! The words of a search, as both databases index them.

use migration::unicode61::{Letter, letter};

/// Of longer words this many characters count: PostgreSQL's index keeps no more.
const LONGEST: usize = 500;

/// What is searched for: all these words, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<Word>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// Folded; letters and digits alone, none of which is an operator anywhere.
    letters: String,
    /// Whether it may go on.
    prefix: bool,
}

impl Words {
    /// The words of `text`, none of whose characters is an operator; nothing when it is blank.
    ///
    /// The last one may be the beginning of a longer word. Text of separators alone has no word,
    /// and then no post is found. There are at most half as many words as characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let mut words: Vec<Word> = Vec::new();
        for run in text.split(|character| letter(character) == Letter::Separator) {
            let folded = run.chars().filter_map(|character| match letter(character) {
                Letter::Folded(folded) => Some(folded),
                Letter::Dropped | Letter::Separator => None,
            });
            let letters: String = folded.take(LONGEST).collect();
            if letters.is_empty() {
                continue;
            }
            let prefix = letters.chars().count() == LONGEST;
            words.push(Word { letters, prefix });
        }
        if let Some(last) = words.last_mut() {
            last.prefix = true;
        }
        words.sort_by(|a, b| (&a.letters, a.prefix).cmp(&(&b.letters, b.prefix)));
        words.dedup();
        Some(Self(words))
    }

    /// Whether there is no word at all, which no condition can say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What FTS5 is to `MATCH`.
    pub(super) fn fts5(&self) -> String {
        self.join(" AND ", |Word { letters, prefix }| {
            format!("\"{letters}\"{}", if *prefix { "*" } else { "" })
        })
    }

    /// A `tsquery` of the words, or with a `mark` of `=` of the words in the title.
    pub(super) fn tsquery(&self, mark: &str) -> String {
        self.join(" & ", |Word { letters, prefix }| {
            format!("'{mark}{letters}'{}", if *prefix { ":*" } else { "" })
        })
    }

    fn join(&self, operator: &str, word: impl Fn(&Word) -> String) -> String {
        self.0.iter().map(word).collect::<Vec<_>>().join(operator)
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn tsquery(text: &str) -> String {
        Words::parse(text).map_or("none".to_owned(), |words| words.tsquery(""))
    }

    #[test]
    fn words_are_parted_folded_and_counted_once() {
        assert_eq!(tsquery(" \t"), "none");
        assert_eq!(tsquery("'\\ \":*&|!(%_"), "");
        assert_eq!(
            tsquery("foo-Bar FOO É e\u{301}t"),
            "'bar' & 'e' & 'et':* & 'foo'"
        );
        assert_eq!(tsquery("to to"), "'to' & 'to':*");
        let long = "x".repeat(600);
        assert_eq!(
            tsquery(&format!("{long} y")),
            format!("'{}':* & 'y':*", &long[..500])
        );
    }
}
