//! The orders of lists of posts, and their cursors.

use std::fmt::{self, Display};

use sea_orm::Order;

use crate::services::paging::Cursor;

/// The order of a list. The post's id, which grows with time, breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Newest first.
    New,
    /// Oldest first.
    Old,
    /// Most votes first.
    Top,
    /// Most votes for the age first: ten times as many votes are worth 12.5 hours.
    Hot,
    /// Posts with all words of the search in the title first, then the other matches.
    Best,
}

/// A position in a list of posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeedCursor {
    /// The order of the list.
    pub sort: Sort,
    /// The position in this order.
    pub cursor: Cursor,
}

const LETTERS: [(Sort, char); 5] = [
    (Sort::New, 'n'),
    (Sort::Old, 'o'),
    (Sort::Top, 't'),
    (Sort::Hot, 'h'),
    (Sort::Best, 'b'),
];

/// The text form: the letter of the order and the text of the [`Cursor`]. It matches
/// `^[nothb][ab]-?[0-9]{1,18}\.[0-9]{1,18}$`, and every such text is a cursor.
impl Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = LETTERS.iter().find(|(sort, _)| *sort == self.sort);
        let letter = letter.map_or('n', |(_, letter)| *letter);
        write!(f, "{letter}{}", self.cursor)
    }
}

impl FeedCursor {
    /// Reads the text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.chars();
        let letter = rest.next()?;
        let (sort, _) = LETTERS.iter().find(|(_, known)| *known == letter)?;
        Some(Self {
            sort: *sort,
            cursor: Cursor::parse(rest.as_str())?,
        })
    }
}

impl Sort {
    /// The direction in which rows are read; `backwards` reverses it.
    pub(super) fn direction(self, backwards: bool) -> Order {
        if (self == Self::Old) == backwards {
            Order::Desc
        } else {
            Order::Asc
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FeedCursor, Sort};

    #[test]
    fn a_cursor_is_parsed_from_its_text_form() {
        for text in ["na0.1", "ob0.42", "ta12.7", "hb-1.9", "ba1.3"] {
            let cursor = FeedCursor::parse(text).expect(text);
            assert_eq!(cursor.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "n", "na", "xa1.1", "nx1.1", "\u{e4}a1.1"] {
            assert_eq!(FeedCursor::parse(text), None, "{text}");
        }
        let top = FeedCursor::parse("ta1.2").expect("a cursor");
        assert!(top.sort == Sort::Top && !top.cursor.before);
    }
}
