//! A query for the first posts that match, whose work is bounded whether a word is in every post or
//! in none.
//!
//! Neither planner knows how common a word is. So the first posts of the order are looked at one by
//! one, which finds enough of a common word; only if that was not enough are all posts with the
//! words fetched from the index and sorted. FTS5 alone gives its posts in the order of their
//! numbers, and stops: there neither is needed.

use sea_orm::{DbBackend, Order, sea_query::Expr};

use super::{Among, Words};

/// How many posts are looked at one by one: on PostgreSQL each takes 0.16 us against 0.6 us a post
/// from the index, on SQLite some 10 us against 1.
const LOOK: u64 = 2_000;
const LOOK_SQLITE: u64 = 100;

/// Posts in the order of some keys.
pub(super) struct Stream {
    /// What the query calls it.
    pub(super) name: &'static str,
    pub(super) which: Which,
    /// Only numbers beyond this one in the order, which must be of numbers.
    pub(super) beyond: Option<i64>,
    /// The stream that comes first, and alone if it has enough.
    pub(super) after: Option<&'static str>,
}

/// Which posts have the words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that have them.
    All,
    /// Those that have them all in the title.
    Titles,
    /// Those that have them, but not all in the title.
    Others,
}

/// SQL and what is bound to it.
pub(super) struct Writer {
    postgres: bool,
    sql: String,
    bound: Vec<Expr>,
}

impl Writer {
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
    /// Writes the stream's common table expressions, on one called `base`.
    pub(super) fn write(
        &self,
        sql: &mut Writer,
        words: &Words,
        among: &Among,
        keys: &[(&str, Order)],
    ) {
        let rows = among.rows.min(i64::MAX.unsigned_abs());
        let by: Vec<String> = keys.iter().map(|(key, order)| by(key, order)).collect();
        let by = by.join(", ");
        let numbers = matches!(keys, [("id", _)]);
        let beyond = self.beyond.map(|id| match keys {
            [(_, Order::Asc), ..] => format!(" AND id > {id}"),
            _ => format!(" AND id < {id}"),
        });
        let part = Part {
            stream: self,
            words,
            rows,
            by,
            beyond: beyond.unwrap_or_default(),
            wanted: self
                .after
                .map(|first| format!("(SELECT count(*) FROM {first}) < {rows}")),
        };
        match (sql.postgres, numbers && !among.few) {
            (true, _) => part.postgres(sql),
            (false, true) => part.by_number(sql),
            (false, false) => part.sqlite(sql),
        }
    }
}

fn by(key: &str, order: &Order) -> String {
    let direction = if *order == Order::Asc { "ASC" } else { "DESC" };
    format!("{key} {direction}")
}

/// A stream on its way into SQL.
struct Part<'a> {
    stream: &'a Stream,
    words: &'a Words,
    rows: u64,
    by: String,
    /// Another condition, or nothing.
    beyond: String,
    /// Whether the stream before has too little.
    wanted: Option<String>,
}

impl Part<'_> {
    fn postgres(&self, sql: &mut Writer) {
        let Self {
            rows, by, beyond, ..
        } = self;
        let name = self.stream.name;
        let wanted = self.wanted.as_deref().unwrap_or("TRUE");
        sql.text(&format!(
            "{name}_near AS MATERIALIZED (SELECT id FROM (SELECT * FROM base
                WHERE {wanted}{beyond} ORDER BY {by} LIMIT {LOOK}) AS post WHERE search @@ "
        ));
        self.tsquery(sql);
        let few = format!("(SELECT count(*) FROM {name}_near) < {rows}");
        // OFFSET 0: the planner must not walk through all posts again in search of the first.
        sql.text(&format!(
            " ORDER BY {by} LIMIT {rows}), {name} AS MATERIALIZED (
            SELECT id FROM {name}_near WHERE NOT {few}
            UNION ALL SELECT id FROM (SELECT id FROM (SELECT * FROM base
                WHERE {wanted} AND {few}{beyond} AND search @@ "
        ));
        self.tsquery(sql);
        sql.text(&format!(
            " OFFSET 0) AS post ORDER BY {by} LIMIT {rows}) AS far)"
        ));
    }

    /// In a subquery of its own, which is read once and not once a row.
    fn tsquery(&self, sql: &mut Writer) {
        let (all, titles) = (self.words.tsquery(""), self.words.tsquery("="));
        sql.text("(SELECT CAST(");
        sql.bind(match self.stream.which {
            Which::All => all,
            Which::Titles => titles,
            Which::Others => format!("{all} & !({titles})"),
        });
        sql.text(" AS tsquery))");
    }

    fn by_number(&self, sql: &mut Writer) {
        let Self {
            rows, by, beyond, ..
        } = self;
        let (name, table) = (self.stream.name, self.table());
        sql.text(&format!(
            "{name} AS MATERIALIZED (SELECT id FROM (SELECT post.id AS id FROM {table}
            CROSS JOIN base AS post ON post.id = {table}.rowid WHERE {table} MATCH "
        ));
        self.fts5(sql, self.wanted.as_deref());
        let beyond = beyond.replace(" id ", &format!(" {table}.rowid "));
        sql.text(&beyond);
        self.not_in_title(sql);
        let by = by.replace("id ", &format!("{table}.rowid "));
        sql.text(&format!(" ORDER BY {by} LIMIT {rows}))"));
    }

    fn sqlite(&self, sql: &mut Writer) {
        let Self {
            rows, by, beyond, ..
        } = self;
        let (name, table) = (self.stream.name, self.table());
        sql.text(&format!(
            "{name}_near AS MATERIALIZED (SELECT id FROM (SELECT * FROM base WHERE TRUE{beyond}
            ORDER BY {by} LIMIT {LOOK_SQLITE}) AS post
            WHERE EXISTS (SELECT 1 FROM {table} WHERE {table} MATCH "
        ));
        self.fts5(sql, None);
        sql.text(&format!(" AND {table}.rowid = post.id)"));
        self.not_in_title(sql);
        let few = format!("(SELECT count(*) FROM {name}_near) < {rows}");
        sql.text(&format!(
            " ORDER BY {by} LIMIT {rows}), {name} AS MATERIALIZED (
            SELECT id FROM {name}_near WHERE NOT {few}
            UNION ALL SELECT id FROM (SELECT * FROM base AS post
                WHERE id IN (SELECT rowid FROM {table} WHERE {table} MATCH "
        ));
        let wanted = self.wanted.as_deref().unwrap_or("TRUE");
        self.fts5(sql, Some(&format!("{few} AND {wanted}")));
        sql.text(&format!("){beyond}"));
        self.not_in_title(sql);
        sql.text(&format!(" ORDER BY {by} LIMIT {rows}))"));
    }

    fn table(&self) -> &'static str {
        match self.stream.which {
            Which::Titles => "posts_titles",
            Which::All | Which::Others => "posts_search",
        }
    }

    /// The words; a word that nothing has unless `wanted`, as SQLite reads a condition of its own
    /// once a row.
    fn fts5(&self, sql: &mut Writer, wanted: Option<&str>) {
        if let Some(wanted) = wanted {
            sql.text(&format!("CASE WHEN {wanted} THEN "));
        }
        sql.bind(self.words.fts5());
        if wanted.is_some() {
            sql.text(" ELSE '\"\"' END");
        }
    }

    fn not_in_title(&self, sql: &mut Writer) {
        if self.stream.which == Which::Others {
            sql.text(" AND NOT EXISTS (SELECT 1 FROM posts_titles WHERE posts_titles MATCH ");
            sql.bind(self.words.fts5());
            sql.text(" AND posts_titles.rowid = post.id)");
        }
    }
}
