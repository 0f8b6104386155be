//! Full-text search: the SQL of both databases for posts that contain all words of a search.
//!
//! Both databases index the same words (`migration::unicode61`) and therefore find the same posts.

mod merge;
mod stream;
mod words;

use sea_orm::{
    Condition, DbBackend, Order,
    sea_query::{Expr, Query},
};

use crate::db::subquery;
pub use merge::{forget_deleted_words, merge_new_words};
use stream::{Matches, SqlWriter, Stream, write_title_match};
pub(super) use words::Words;

/// The posts in which a search looks for the first matches.
#[derive(Clone, Debug)]
pub(super) struct SearchScope {
    /// A condition on columns of `posts` only.
    pub(super) filter: Condition,
    /// True if an index finds the few posts that match `filter`, such as the posts of one owner.
    pub(super) selective: bool,
    /// Number of matches to find, including skipped ones.
    pub(super) rows: u64,
    /// Direction of the ids.
    pub(super) direction: Order,
}

/// A position in the order of [`Words::best`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BestPosition {
    /// True if the title of the post contains all words.
    pub(super) in_title: bool,
    /// The post's id.
    pub(super) id: i64,
}

impl Words {
    /// True for posts that contain all words. Slow when many posts match.
    pub(super) fn all(&self, backend: DbBackend) -> Expr {
        let mut writer = SqlWriter::new(backend);
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

    /// True for the first posts of `scope`, by id, that contain all words.
    pub(super) fn first(&self, backend: DbBackend, scope: &SearchScope) -> Expr {
        let stream = Stream {
            name: "hits",
            matches: Matches::All,
            start_after: None,
            previous: None,
        };
        self.union(backend, scope, &[stream])
    }

    /// True for the best matches of `scope`: first posts with all words in the title, then the
    /// others, each newest first. With an ascending `scope` the opposite order.
    ///
    /// Starts after `position`. The caller must order by [`Words::in_title`] and then by id, both in
    /// the direction of `scope`.
    pub(super) fn best(
        &self,
        backend: DbBackend,
        scope: &SearchScope,
        position: Option<BestPosition>,
    ) -> Expr {
        let stream = |name, matches| Stream {
            name,
            matches,
            start_after: None,
            previous: None,
        };
        let mut streams = vec![
            stream("titles", Matches::Title),
            stream("others", Matches::NotTitle),
        ];
        let ascending = scope.direction == Order::Asc;
        if ascending {
            streams.reverse();
        }
        if let Some(position) = position {
            if position.in_title == ascending {
                // The position is in the second stream, so the first one is complete.
                streams.remove(0);
            }
            if let Some(first) = streams.first_mut() {
                first.start_after = Some(position.id);
            }
        }
        if let [first, second] = streams.as_mut_slice() {
            second.previous = Some(first.name);
        }
        self.union(backend, scope, &streams)
    }

    /// True if the title of the post contains all words. `rows` is the number of posts for which it is
    /// evaluated.
    pub(super) fn in_title(&self, backend: DbBackend, rows: u64) -> Expr {
        let mut writer = SqlWriter::new(backend);
        if backend == DbBackend::Postgres {
            writer.text("posts.search @@ (SELECT CAST(");
            writer.bind(self.tsquery("="));
            writer.text(" AS tsquery))");
        } else {
            write_title_match(&mut writer, self, "posts", rows);
        }
        writer.expression()
    }

    fn union(&self, backend: DbBackend, scope: &SearchScope, streams: &[Stream]) -> Expr {
        let mut base = Query::select();
        base.column("id").from("posts");
        base.cond_where(scope.filter.clone());
        if backend == DbBackend::Postgres {
            base.column("search");
        }
        let mut writer = SqlWriter::new(backend);
        writer.text("posts.id IN (WITH base AS NOT MATERIALIZED ");
        writer.bind(subquery(base));
        for stream in streams {
            writer.text(", ");
            stream.write(&mut writer, self, scope);
        }
        for (index, stream) in streams.iter().enumerate() {
            let union = if index == 0 { "" } else { " UNION ALL" };
            writer.text(&format!("{union} SELECT id FROM {}", stream.name));
        }
        writer.text(")");
        writer.expression()
    }
}
