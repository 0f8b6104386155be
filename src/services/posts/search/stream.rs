//! A query for the first matching posts, fast for common and for rare words.
//!
//! No query planner knows how common a word is. So the query first checks a bounded number of posts
//! in order, which finds enough matches of a common word. If it finds too few, it reads all matches
//! from the index and sorts them. FTS5 returns matches by rowid and stops early. The first step is
//! then not needed, unless the search has a selective filter.

use sea_orm::{DbBackend, Order, sea_query::Expr};

use super::{SearchScope, Words};

/// Number of posts checked in order. PostgreSQL takes 0.16 us for each, and 0.6 us for a post from
/// the index.
const CHECKED_POSTGRES: u64 = 2_000;
/// The same for SQLite, which takes about 10 us for each, and 1 us for a post from the index.
const CHECKED_SQLITE: u64 = 100;

/// From this number of rows on, SQLite reads all matches of the titles once. Below, it searches for each
/// row, which takes up to 0.4 ms if the words are common.
const MANY_SQLITE: u64 = 200;

/// Matching posts by id.
pub(super) struct Stream {
    /// The name of the common table expression.
    pub(super) name: &'static str,
    pub(super) matches: Matches,
    /// Starts after the post with this id.
    pub(super) start_after: Option<i64>,
    /// The name of the stream before this one. If it has enough rows, this one is not read.
    pub(super) previous: Option<&'static str>,
}

/// Where a post must contain the words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Matches {
    /// In the title or the content.
    All,
    /// All words in the title.
    Title,
    /// All words, but not all of them in the title.
    NotTitle,
}

/// SQL text with bound values.
pub(super) struct SqlWriter {
    postgres: bool,
    sql: String,
    bound: Vec<Expr>,
}

impl SqlWriter {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            postgres: backend == DbBackend::Postgres,
            sql: String::new(),
            bound: Vec::new(),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    pub(super) fn bind(&mut self, value: impl Into<Expr>) {
        self.bound.push(value.into());
        if self.postgres {
            self.sql += "$";
            self.sql += &self.bound.len().to_string();
        } else {
            self.sql.push('?');
        }
    }

    pub(super) fn expression(self) -> Expr {
        Expr::cust_with_exprs(self.sql, self.bound)
    }
}

impl Stream {
    /// Writes the common table expressions of this stream, which read from `base`.
    pub(super) fn write(&self, sql: &mut SqlWriter, words: &Words, scope: &SearchScope) {
        let rows = scope.rows.min(i64::MAX.unsigned_abs());
        let (operator, direction) = match scope.direction {
            Order::Asc => ('>', "ASC"),
            _ => ('<', "DESC"),
        };
        let parts = Parts {
            stream: self,
            words,
            rows,
            direction,
            start: self.start_after.map(|id| format!(" {operator} {id}")),
            needed: self
                .previous
                .map(|previous| format!("(SELECT count(*) FROM {previous}) < {rows}")),
        };
        match (sql.postgres, scope.selective) {
            (true, _) => parts.write_postgres(sql),
            (false, false) => parts.write_sqlite_by_rowid(sql),
            (false, true) => parts.write_sqlite(sql),
        }
    }
}

/// The parts of a stream's SQL.
struct Parts<'a> {
    stream: &'a Stream,
    words: &'a Words,
    rows: u64,
    direction: &'static str,
    /// The operator and the id of the start, such as ` > 1`.
    start: Option<String>,
    /// SQL condition: the previous stream has too few rows.
    needed: Option<String>,
}

impl Parts<'_> {
    fn write_postgres(&self, sql: &mut SqlWriter) {
        let Self {
            rows, direction, ..
        } = self;
        let (name, start) = (self.stream.name, self.and_start("id"));
        let needed = self.needed.as_deref().unwrap_or("TRUE");
        sql.text(&format!(
            "{name}_near AS MATERIALIZED (SELECT id FROM (SELECT * FROM base
                WHERE {needed}{start} ORDER BY id {direction} LIMIT {CHECKED_POSTGRES}) AS post WHERE search @@ "
        ));
        self.write_tsquery(sql);
        let few = format!("(SELECT count(*) FROM {name}_near) < {rows}");
        // OFFSET 0 keeps the planner from scanning all posts in order again.
        sql.text(&format!(
            " ORDER BY id {direction} LIMIT {rows}), {name} AS MATERIALIZED (
            SELECT id FROM {name}_near WHERE NOT {few}
            UNION ALL SELECT id FROM (SELECT id FROM (SELECT * FROM base
                WHERE {needed} AND {few}{start} AND search @@ "
        ));
        self.write_tsquery(sql);
        sql.text(&format!(
            " OFFSET 0) AS post ORDER BY id {direction} LIMIT {rows}) AS far)"
        ));
    }

    /// Writes the words as a subquery, so that PostgreSQL evaluates them once and not for each row.
    fn write_tsquery(&self, sql: &mut SqlWriter) {
        let (all, title) = (self.words.tsquery(""), self.words.tsquery("="));
        sql.text("(SELECT CAST(");
        sql.bind(match self.stream.matches {
            Matches::All => all,
            Matches::Title => title,
            Matches::NotTitle => format!("{all} & !({title})"),
        });
        sql.text(" AS tsquery))");
    }

    fn write_sqlite_by_rowid(&self, sql: &mut SqlWriter) {
        let Self {
            rows, direction, ..
        } = self;
        let (name, table) = (self.stream.name, self.table());
        sql.text(&format!(
            "{name} AS MATERIALIZED (SELECT id FROM (SELECT post.id AS id FROM {table}
            CROSS JOIN base AS post ON post.id = {table}.rowid WHERE {table} MATCH "
        ));
        self.write_fts5(sql, self.needed.as_deref());
        sql.text(&self.and_start(&format!("{table}.rowid")));
        self.write_not_in_title(sql, u64::MAX);
        sql.text(&format!(
            " ORDER BY {table}.rowid {direction} LIMIT {rows}))"
        ));
    }

    fn write_sqlite(&self, sql: &mut SqlWriter) {
        let Self {
            rows, direction, ..
        } = self;
        let (name, table, start) = (self.stream.name, self.table(), self.and_start("id"));
        sql.text(&format!(
            "{name}_near AS MATERIALIZED (SELECT id FROM (SELECT * FROM base WHERE TRUE{start}
            ORDER BY id {direction} LIMIT {CHECKED_SQLITE}) AS post
            WHERE EXISTS (SELECT 1 FROM {table} WHERE {table} MATCH "
        ));
        self.write_fts5(sql, None);
        sql.text(&format!(" AND {table}.rowid = post.id)"));
        self.write_not_in_title(sql, CHECKED_SQLITE);
        let few = format!("(SELECT count(*) FROM {name}_near) < {rows}");
        sql.text(&format!(
            " ORDER BY id {direction} LIMIT {rows}), {name} AS MATERIALIZED (
            SELECT id FROM {name}_near WHERE NOT {few}
            UNION ALL SELECT id FROM (SELECT * FROM base AS post
                WHERE id IN (SELECT rowid FROM {table} WHERE {table} MATCH "
        ));
        let needed = self.needed.as_deref().unwrap_or("TRUE");
        self.write_fts5(sql, Some(&format!("{few} AND {needed}")));
        sql.text(&format!("){start}"));
        self.write_not_in_title(sql, u64::MAX);
        sql.text(&format!(" ORDER BY id {direction} LIMIT {rows}))"));
    }

    /// The condition on the start, such as ` AND id > 1`, or nothing.
    fn and_start(&self, column: &str) -> String {
        let start = self.start.as_ref();
        start.map_or(String::new(), |start| format!(" AND {column}{start}"))
    }

    fn table(&self) -> &'static str {
        match self.stream.matches {
            Matches::Title => "posts_titles",
            Matches::All | Matches::NotTitle => "posts_search",
        }
    }

    /// Writes the words, or a query without matches if `needed` is false. SQLite would evaluate a
    /// separate condition once for each row.
    fn write_fts5(&self, sql: &mut SqlWriter, needed: Option<&str>) {
        if let Some(needed) = needed {
            sql.text(&format!("CASE WHEN {needed} THEN "));
        }
        sql.bind(self.words.fts5());
        if needed.is_some() {
            sql.text(" ELSE '\"\"' END");
        }
    }

    /// `rows` is the maximum number of posts for which it is evaluated.
    fn write_not_in_title(&self, sql: &mut SqlWriter, rows: u64) {
        if self.stream.matches == Matches::NotTitle {
            sql.text(" AND NOT ");
            write_title_match(sql, self.words, "post", rows);
        }
    }
}

/// Writes, for SQLite, that the title of `post` contains all words. It is evaluated for at most
/// `rows` posts.
pub(super) fn write_title_match(sql: &mut SqlWriter, words: &Words, post: &str, rows: u64) {
    let matches = "(SELECT rowid FROM posts_titles WHERE posts_titles MATCH ";
    if rows < MANY_SQLITE {
        sql.text(&format!("EXISTS {matches}"));
        sql.bind(words.fts5());
        sql.text(&format!(" AND posts_titles.rowid = {post}.id)"));
    } else {
        sql.text(&format!("{post}.id IN {matches}"));
        sql.bind(words.fts5());
        sql.text(")");
    }
}
