//! The orders of lists, and positions in them.

use std::fmt::{self, Display};

use sea_orm::Order;

/// In which order posts are listed. The number of a post breaks ties; it grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Newest first.
    New,
    /// Oldest first.
    Old,
    /// Most votes first.
    Top,
    /// Most votes for their age first: a post of ten times as many is as hot as one that is 12.5
    /// hours younger.
    Hot,
    /// Those first that have all words of the search in their title.
    Best,
}

/// A place between two posts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The order of the list.
    pub sort: Sort,
    /// Whether what stands before it is meant, and not what stands behind it.
    pub before: bool,
    /// What the post beside it is ordered by, without its number.
    pub key: i64,
    /// The number of the post beside it.
    pub id: i64,
}

const LETTERS: [(Sort, char); 5] = [
    (Sort::New, 'n'),
    (Sort::Old, 'o'),
    (Sort::Top, 't'),
    (Sort::Hot, 'h'),
    (Sort::Best, 'b'),
];

/// The text of a cursor: the order's letter, `a`fter or `b`efore, key, dot, number. Whatever fits
/// `^[nothb][ab]-?[0-9]{1,18}\.[0-9]{1,18}$` is one.
impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = LETTERS.iter().find(|(sort, _)| *sort == self.sort);
        let letter = letter.map_or('n', |(_, letter)| *letter);
        let side = if self.before { 'b' } else { 'a' };
        write!(f, "{letter}{side}{}.{}", self.key, self.id)
    }
}

impl Position {
    /// The place before every post.
    pub(super) const START: Self = Self {
        sort: Sort::Old,
        before: false,
        key: 0,
        id: 0,
    };

    /// Reads the text of a cursor.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let letter = letters.next()?;
        let (sort, _) = LETTERS.iter().find(|(_, known)| *known == letter)?;
        let before = match letters.next()? {
            'a' => false,
            'b' => true,
            _ => return None,
        };
        let (key, id) = letters.as_str().split_once('.')?;
        let number = |text: &str, digits: &str| {
            let fits =
                (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| text.parse().ok()).flatten()
        };
        Some(Self {
            sort: *sort,
            before,
            key: number(key, key.strip_prefix('-').unwrap_or(key))?,
            id: number(id, id)?,
        })
    }
}

impl Sort {
    /// The direction of the list, or the opposite one.
    pub(in crate::services::posts) fn direction(self, backwards: bool) -> Order {
        if (self == Self::Old) == backwards {
            Order::Desc
        } else {
            Order::Asc
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, Sort};

    #[test]
    fn the_text_of_a_cursor_is_read_again() {
        for text in [
            "na0.1",
            "ob0.42",
            "ta12.7",
            "hb-1.999999999999999999",
            "ba1.3",
        ] {
            let position = Position::parse(text).expect(text);
            assert_eq!(position.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "",
            "n",
            "na",
            "na1",
            "na1.",
            "na.1",
            "xa1.1",
            "nx1.1",
            "na1.-1",
            "na+1.1",
            "na--1.1",
            "na1.1.1",
            "na1.1 ",
            "na1.1000000000000000000",
            "\u{e4}a1.1",
            "na\u{661}.1",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
        assert!(Position::parse("ta1.2").is_some_and(|p| p.sort == Sort::Top && !p.before));
    }
}
