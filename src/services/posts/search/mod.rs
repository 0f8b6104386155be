//! Which posts have all words of a search, in SQLite's words and in PostgreSQL's.
//!
//! Both index the same words (`migration::unicode61`), so that the same rows are found.

mod select;
mod stream;
mod words;

use sea_orm::{
    Condition, DbBackend, Order,
    sea_query::{Expr, Query},
};

pub(super) use select::found;
use stream::{Stream, Which, Writer};
pub use words::Words;

/// Where to look, and how far.
#[derive(Clone, Debug)]
pub struct Among {
    /// What else holds of the posts, on the columns of `posts` alone.
    pub filter: Condition,
    /// Whether that leaves few of them, as one owner's do, and an index finds these.
    pub few: bool,
    /// How many posts the reader needs, those passed over included.
    pub rows: u64,
}

/// A place in the order of [`Words::best`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whether the post at this place has all words in its title.
    pub in_title: bool,
    /// Its number.
    pub id: i64,
}

impl Words {
    /// Holds of posts with all words. How many there are does matter.
    #[must_use]
    pub fn all(&self, backend: DbBackend) -> Expr {
        let mut writer = Writer::new(backend);
        if backend == DbBackend::Postgres {
            writer.text("posts.search @@ (SELECT CAST(");
            writer.bind(self.tsquery(""));
            writer.text(" AS tsquery))");
        } else {
            writer.text("posts.id IN (SELECT rowid FROM posts_search WHERE posts_search MATCH ");
            writer.bind(self.fts5());
            writer.text(")");
        }
        writer.expression()
    }

    /// Holds of the first posts with all words in the order of `keys`, which are columns of `posts`
    /// and tie with nothing together.
    #[must_use]
    pub fn sorted(&self, backend: DbBackend, among: &Among, keys: &[(&str, Order)]) -> Expr {
        let stream = Stream {
            name: "hits",
            which: Which::All,
            beyond: None,
            after: None,
        };
        self.hits(backend, among, keys, &[stream])
    }

    /// Holds of the first posts with all words, best match first: those with all words in the title
    /// before the others, the newest first among either. With `back` the same from the far end.
    ///
    /// Begins behind `place`, which is not found itself. The caller orders by [`Words::in_title`]
    /// and the number, both descending, or with `back` ascending.
    #[must_use]
    pub fn best(
        &self,
        backend: DbBackend,
        among: &Among,
        place: Option<Place>,
        back: bool,
    ) -> Expr {
        let stream = |name, which| Stream {
            name,
            which,
            beyond: None,
            after: None,
        };
        let mut streams = vec![
            stream("titles", Which::Titles),
            stream("others", Which::Others),
        ];
        if back {
            streams.reverse();
        }
        if let Some(place) = place {
            if place.in_title == back {
                // What comes first is behind us.
                streams.remove(0);
            }
            if let Some(first) = streams.first_mut() {
                first.beyond = Some(place.id);
            }
        }
        if let [first, second] = streams.as_mut_slice() {
            second.after = Some(first.name);
        }
        let order = if back { Order::Asc } else { Order::Desc };
        self.hits(backend, among, &[("id", order)], &streams)
    }

    /// Whether a post has all words in its title.
    #[must_use]
    pub fn in_title(&self, backend: DbBackend) -> Expr {
        let mut writer = Writer::new(backend);
        if backend == DbBackend::Postgres {
            writer.text("posts.search @@ (SELECT CAST(");
            writer.bind(self.tsquery("="));
            writer.text(" AS tsquery))");
        } else {
            writer.text("EXISTS (SELECT 1 FROM posts_titles WHERE posts_titles MATCH ");
            writer.bind(self.fts5());
            writer.text(" AND posts_titles.rowid = posts.id)");
        }
        writer.expression()
    }

    fn hits(
        &self,
        backend: DbBackend,
        among: &Among,
        keys: &[(&str, Order)],
        streams: &[Stream],
    ) -> Expr {
        let mut base = Query::select();
        base.column("id").from("posts");
        base.cond_where(among.filter.clone());
        for (key, _) in keys.iter().filter(|(key, _)| *key != "id") {
            base.column((*key).to_owned());
        }
        if backend == DbBackend::Postgres {
            base.column("search");
        }
        let mut writer = Writer::new(backend);
        writer.text("posts.id IN (WITH base AS NOT MATERIALIZED ");
        writer.bind(Expr::SubQuery(None, Box::new(base.into())));
        for stream in streams {
            writer.text(", ");
            stream.write(&mut writer, self, among, keys);
        }
        for (at, stream) in streams.iter().enumerate() {
            let word = if at == 0 { "" } else { " UNION ALL" };
            writer.text(&format!("{word} SELECT id FROM {}", stream.name));
        }
        writer.text(")");
        writer.expression()
    }
}
