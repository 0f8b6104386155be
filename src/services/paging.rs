//! Keyset pagination for any list: cursors, pages and the SQL between them.
//!
//! A list is ordered by an optional key and by an id, which breaks ties. A page is read with one row
//! more than its limit, which tells whether the list continues.

use std::fmt::{self, Display};

use sea_orm::{
    EntityTrait, Order, QueryFilter, QueryOrder, Select,
    sea_query::{Expr, ExprTrait},
};

/// A position between two rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// True for the rows before the position, false for those after it.
    pub before: bool,
    /// The key of the adjacent row; 0 if the list is ordered by id alone.
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
    pub(super) fn parse(text: &str) -> Option<Self> {
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
    /// Where the next page starts, if there is one.
    pub next: Option<C>,
    /// Where the previous page ends, if there is one.
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

/// How a page is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Maximum number of rows of the page.
    pub(super) limit: u64,
    /// True if the page ends at a cursor. Its rows are read in the opposite order.
    pub(super) backwards: bool,
    /// True if the page does not start at the beginning of the list.
    pub(super) resumed: bool,
}

impl Walk {
    /// Number of rows to read: one more than the limit.
    pub(super) fn rows(self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// Makes a page of `rows`, as they were read. `cursor` gets the adjacent row, and true for the
    /// rows before it.
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
    /// The id, in the table whose index the database walks.
    pub(super) id: Expr,
    /// The direction of key and id.
    pub(super) direction: Order,
}

impl Keyset {
    /// Orders `select`, and starts it beyond the row with id `start`.
    pub(super) fn apply<E: EntityTrait>(
        self,
        mut select: Select<E>,
        start: Option<i64>,
    ) -> Select<E> {
        let Self { key, id, direction } = self;
        let ascending = direction == Order::Asc;
        let beyond = |row: Expr, start: Expr| {
            if ascending {
                row.gt(start)
            } else {
                row.lt(start)
            }
        };
        if let Some(start) = start.map(Expr::value) {
            select = match key.clone() {
                None => select.filter(beyond(id.clone(), start)),
                // SQLite starts an index walk only at a bound on the first column, not at a row
                // value, and only if that bound comes first.
                Some((key, at)) => select
                    .filter(if ascending {
                        key.clone().gte(at.clone())
                    } else {
                        key.clone().lte(at.clone())
                    })
                    .filter(beyond(
                        Expr::tuple([key, id.clone()]),
                        Expr::tuple([at, start]),
                    )),
            };
        }
        if let Some((key, _)) = key {
            select = select.order_by(key, direction.clone());
        }
        select.order_by(id, direction)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Page, Walk};

    const CURSOR: fn(&i64, bool) -> (i64, bool) = |id, before| (*id, before);

    #[test]
    fn the_extra_row_tells_whether_the_list_continues() {
        let first = Walk {
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
        let back = Walk {
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
    fn the_text_of_a_cursor_is_read_again() {
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
