//! The words of a search, normalised as both databases index them.

use migration::unicode61::{Letter, letter};

/// Maximum length of a word. PostgreSQL's index keeps no more characters.
const MAX_LENGTH: usize = 500;

/// Words that must all occur, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::services::posts) struct Words(Vec<Word>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// Folded. Only letters and digits, which are not operators in either database.
    letters: String,
    /// True if longer words that start with these letters match too.
    prefix: bool,
}

impl Words {
    /// Splits `text` into words; `None` if it is blank.
    ///
    /// The last word also matches as a prefix. A text of separators has no words, and no post
    /// matches. The number of words is at most half the number of characters, rounded up.
    pub(in crate::services::posts) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let mut words: Vec<Word> = Vec::new();
        for run in text.split(|character| letter(character) == Letter::Separator) {
            let folded = run.chars().filter_map(|character| match letter(character) {
                Letter::Folded(folded) => Some(folded),
                Letter::Dropped | Letter::Separator => None,
            });
            let letters: String = folded.take(MAX_LENGTH).collect();
            if letters.is_empty() {
                continue;
            }
            let prefix = letters.chars().count() == MAX_LENGTH;
            words.push(Word { letters, prefix });
        }
        if let Some(last) = words.last_mut() {
            last.prefix = true;
        }
        words.sort_by(|a, b| (&a.letters, a.prefix).cmp(&(&b.letters, b.prefix)));
        words.dedup();
        Some(Self(words))
    }

    /// True if there is no word. The SQL of the other methods is then invalid.
    pub(in crate::services::posts) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An FTS5 query.
    pub(super) fn fts5(&self) -> String {
        self.join(" AND ", |Word { letters, prefix }| {
            format!("\"{letters}\"{}", if *prefix { "*" } else { "" })
        })
    }

    /// A `tsquery`. Words in the title are indexed a second time with the `mark` `=`.
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
    fn words_are_split_folded_and_deduplicated() {
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
