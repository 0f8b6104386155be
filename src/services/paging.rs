//! Keyset pagination for any list: cursors, pages and their SQL.
//!
//! A list is ordered by an optional key and by an id, which breaks ties. A page is read with one
//! extra row, which shows whether the list continues.

use std::fmt::{self, Display};

use sea_orm::{
    EntityTrait, Order, QueryFilter, QueryOrder, Select,
    sea_query::{Expr, ExprTrait},
};
use time::OffsetDateTime;

/// A position between two rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// True for a page of rows before the position, false for rows after it.
    pub before: bool,
    /// The key of the adjacent row; 0 if the list is ordered only by id.
    pub key: i64,
    /// The id of the adjacent row.
    pub id: i64,
}

/// The text form: `a` for after or `b` for before, then key, dot and id. It matches
/// `^[ab]-?[0-9]{1,18}\.[0-9]{1,18}$`, and every such text is a cursor.
impl Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.before { 'b' } else { 'a' };
        write!(f, "{side}{}.{}", self.key, self.id)
    }
}

impl Cursor {
    /// Reads the text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (before, rest) = match text.strip_prefix('a') {
            Some(rest) => (false, rest),
            None => (true, text.strip_prefix('b')?),
        };
        let (key, id) = rest.split_once('.')?;
        let integer = |text: &str, digits: &str| {
            let valid =
                (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            valid.then(|| text.parse().ok()).flatten()
        };
        Some(Self {
            before,
            key: integer(key, key.strip_prefix('-').unwrap_or(key))?,
            id: integer(id, id)?,
        })
    }
}

/// A page of a list of `T`, with cursors `C`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C = Cursor> {
    /// The rows in order.
    pub items: Vec<T>,
    /// The start of the next page, if there is one.
    pub next: Option<C>,
    /// The end of the previous page, if there is one.
    pub prev: Option<C>,
    /// Number of rows of the whole list, if the request asked for it.
    pub total: Option<u64>,
}

impl<T, C> Page<T, C> {
    /// A page without rows.
    pub(super) fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
            prev: None,
            total: None,
        }
    }

    /// Converts every row.
    pub(super) fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U, C> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next: self.next,
            prev: self.prev,
            total: self.total,
        }
    }
}

/// Size, direction and start of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageRequest {
    /// Maximum number of rows of the page.
    pub(super) limit: u64,
    /// True if the page ends at a cursor. Its rows are read in the opposite order.
    pub(super) backwards: bool,
    /// True if the page does not start at the beginning of the list.
    pub(super) resumed: bool,
}

impl PageRequest {
    /// Number of rows to read: one more than the limit.
    pub(super) fn rows(self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// Makes a page of `rows` in the order of the query. `cursor` makes a cursor from the adjacent
    /// row and [`Cursor::before`].
    pub(super) fn page<T, C>(self, mut rows: Vec<T>, cursor: impl Fn(&T, bool) -> C) -> Page<T, C> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let (has_next, has_prev) = if self.backwards {
            rows.reverse();
            (self.resumed, more)
        } else {
            (more, self.resumed)
        };
        let last = rows.last().filter(|_| has_next);
        let first = rows.first().filter(|_| has_prev);
        Page {
            next: last.map(|row| cursor(row, false)),
            prev: first.map(|row| cursor(row, true)),
            items: rows,
            total: None,
        }
    }
}

/// The order of a list.
pub(super) struct Keyset {
    /// The first sort key, and its value at the cursor. Lists that are ordered by id have none.
    pub(super) key: Option<(Expr, Expr)>,
    /// The id, in the table whose index the database scans.
    pub(super) id: Expr,
    /// The direction of key and id.
    pub(super) direction: Order,
}

impl Keyset {
    /// Orders `select`, and starts it after the row with id `start_id`.
    pub(super) fn apply<E: EntityTrait>(
        self,
        mut select: Select<E>,
        start_id: Option<i64>,
    ) -> Select<E> {
        let Self { key, id, direction } = self;
        let ascending = direction == Order::Asc;
        let is_after = |row: Expr, start: Expr| {
            if ascending {
                row.gt(start)
            } else {
                row.lt(start)
            }
        };
        if let Some(start_id) = start_id.map(Expr::value) {
            select = match key.clone() {
                None => select.filter(is_after(id.clone(), start_id)),
                // SQLite starts an index scan only at a bound on the first column, not at a row
                // value, and only if that bound comes first.
                Some((key, start_key)) => select
                    .filter(if ascending {
                        key.clone().gte(start_key.clone())
                    } else {
                        key.clone().lte(start_key.clone())
                    })
                    .filter(is_after(
                        Expr::tuple([key, id.clone()]),
                        Expr::tuple([start_key, start_id]),
                    )),
            };
        }
        if let Some((key, _)) = key {
            select = select.order_by(key, direction.clone());
        }
        select.order_by(id, direction)
    }
}

/// The key of a list that is ordered by time: microseconds since 1970.
pub(super) fn to_microseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or_default()
}

/// The time `microseconds` since 1970; 1970-01-01 for times outside the years 0 to 9999.
pub(super) fn from_microseconds(microseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000)
        .ok()
        .filter(|time| (0..=9999).contains(&time.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Page, PageRequest};

    const CURSOR: fn(&i64, bool) -> (i64, bool) = |id, before| (*id, before);

    #[test]
    fn the_extra_row_shows_whether_the_list_continues() {
        let first = PageRequest {
            limit: 2,
            backwards: false,
            resumed: false,
        };
        assert_eq!(first.rows(), 3);
        let page = first.page(vec![9, 8, 7], CURSOR);
        assert_eq!(
            (page.items, page.next, page.prev),
            (vec![9, 8], Some((8, false)), None)
        );
        let page: Page<_, _> = first.page(vec![9, 8], CURSOR);
        assert_eq!((page.next, page.prev), (None, None));
    }

    #[test]
    fn a_page_before_a_cursor_is_reversed() {
        let back = PageRequest {
            limit: 2,
            backwards: true,
            resumed: true,
        };
        let page = back.page(vec![7, 8, 9], CURSOR);
        assert_eq!(page.items, [8, 7]);
        assert_eq!((page.next, page.prev), (Some((7, false)), Some((8, true))));
        let page = back.page(vec![7], CURSOR);
        assert_eq!((page.next, page.prev), (Some((7, false)), None));
    }

    #[test]
    fn a_cursor_is_parsed_from_its_text_form() {
        for text in ["a0.1", "b0.42", "b-1.999999999999999999"] {
            let cursor = Cursor::parse(text).expect(text);
            assert_eq!(cursor.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "a",
            "a1",
            "a1.",
            "a.1",
            "x1.1",
            "a1.-1",
            "a+1.1",
            "a--1.1",
            "a1.1.1",
            "a1.1 ",
            "a1.1000000000000000000",
            "a\u{661}.1",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
