//! The statement of a list of posts.

use entity::{
    posts::{COLUMN, Column, Entity},
    ranks, users,
    values::UserId,
};
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IntoSimpleExpr,
    Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{
    filter::filter,
    order::{FeedCursor, Sort},
    query::FeedQuery,
    source::FeedSource,
};
use crate::{
    db::{Autocommit, comparable, count_up_to, page},
    services::{
        paging::{Cursor, Keyset, Page, from_microseconds, to_microseconds},
        posts::{
            post::PostView,
            search::{BestPosition, SearchScope, Words},
            visibility::{visible, visible_with_owner},
        },
    },
};

/// Maximum number of posts that are counted. They take both databases about 0.1 s.
pub(super) const MAX_COUNT: u64 = 250_000;

/// A row of a list.
#[derive(Clone, FromQueryResult)]
pub(super) struct FeedRow {
    #[sea_orm(nested)]
    pub(super) post: PostView,
    /// The sort key of the list; the id if it is ordered by id.
    key: i64,
}

/// Builds the statement of a list.
pub(super) struct FeedSelect<'a> {
    query: &'a FeedQuery,
    /// SQL condition: true for drafts that the list includes.
    own: Option<Expr>,
    /// Maximum number of rows.
    pub(super) rows: u64,
    sources: Vec<FeedSource>,
    filter: Condition,
    words: Option<Words>,
    backend: DbBackend,
}

impl<'a> FeedSelect<'a> {
    /// `None` if no post can match.
    pub(super) fn new(
        query: &'a FeedQuery,
        viewer: Option<UserId>,
        own: Option<Expr>,
        backend: DbBackend,
    ) -> Option<Self> {
        let words = Words::parse(query.search.as_str());
        if words.as_ref().is_some_and(Words::is_empty) {
            return None;
        }
        let sources = query.sources(viewer)?;
        Some(Self {
            query,
            own,
            rows: query.page_request().rows(),
            filter: filter(viewer, query, &sources, backend),
            sources,
            words,
            backend,
        })
    }

    /// Lists `posts`, a select of visible posts, as [`FeedRow`]s.
    pub(super) fn statement(&self, posts: Select<Entity>) -> Statement {
        let Self { query, backend, .. } = *self;
        let select = match &self.words {
            Some(words) if query.is_ordered_by_id() => self.first_matches(posts, words),
            words => {
                let posts = self.ordered(self.joined(posts)).filter(self.filter.clone());
                match words {
                    Some(words) => posts.filter(words.all(backend)),
                    None => posts,
                }
            }
        };
        page(select.build(backend), self.rows, query.skip.get())
    }

    /// Number of posts of the whole list, or a number above [`MAX_COUNT`].
    pub(super) async fn count(&self, connection: &Autocommit) -> Result<u64, DbErr> {
        let select = Entity::find()
            .select_only()
            .column(Column::Id)
            .inner_join(users::Entity)
            .filter(visible_with_owner(self.own.clone()))
            .filter(self.filter.clone());
        let mut select = self.joined(select);
        if let Some(words) = &self.words {
            select = select.filter(words.all(self.backend));
        }
        let statement = count_up_to(select.build(self.backend), MAX_COUNT + 1);
        let row = connection.query_one_raw(statement).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok(count.unsigned_abs())
    }

    fn joined(&self, select: Select<Entity>) -> Select<Entity> {
        let sources = self.sources.iter();
        sources.fold(select, |select, source| source.join(select))
    }

    fn direction(&self) -> Order {
        let query = self.query;
        query.sort().direction(query.page_request().backwards)
    }

    fn ordered(&self, mut select: Select<Entity>) -> Select<Entity> {
        let Self { query, backend, .. } = *self;
        let cursor = query.cursor.map(|cursor| cursor.cursor);
        let start_key = cursor.map_or(0, |cursor| cursor.key);
        let id = self.sources.iter().rev().find_map(FeedSource::id);
        let mut id = id.unwrap_or_else(|| Column::Id.into_simple_expr());
        let rank = match query.sort() {
            Sort::Top => Some(ranks::COLUMN.votes.into_simple_expr()),
            Sort::Hot => Some(ranks::COLUMN.hot.into_simple_expr()),
            Sort::New | Sort::Old | Sort::Best => None,
        };
        let key = match &rank {
            Some(rank) => {
                id = ranks::Column::PostId.into_simple_expr();
                select = select.inner_join(ranks::Entity);
                Some((rank.clone(), Expr::value(start_key)))
            }
            None if query.has_time_bounds() => {
                let created = COLUMN.created_at.into_simple_expr();
                Some(comparable(backend, created, from_microseconds(start_key)))
            }
            None => None,
        };
        let select = select.expr_as(rank.unwrap_or_else(|| id.clone()), "key");
        let keyset = Keyset {
            key,
            id,
            direction: self.direction(),
        };
        keyset.apply(select, cursor.map(|cursor| cursor.id))
    }

    /// The first posts with `words`, by best match or by id. In order of best match the key is 1 if
    /// the title contains all words, and 0 otherwise.
    fn first_matches(&self, posts: Select<Entity>, words: &Words) -> Select<Entity> {
        let Self { query, backend, .. } = *self;
        let mut tables = Condition::all();
        for subquery in self.sources.iter().filter_map(FeedSource::subquery) {
            tables = tables.add(subquery);
        }
        let direction = self.direction();
        let mut scope = SearchScope {
            filter: visible(self.own.clone())
                .add(self.filter.clone())
                .add(tables),
            selective: !self.sources.is_empty(),
            rows: self.rows.saturating_add(query.skip.get()),
            direction: direction.clone(),
        };
        let cursor = query.cursor.map(|cursor| cursor.cursor);
        let id = Column::Id.into_simple_expr();
        let (select, key) = if query.sort() == Sort::Best {
            let position = cursor.map(|cursor| BestPosition {
                in_title: cursor.key == 1,
                id: cursor.id,
            });
            let in_title = words.in_title(backend, scope.rows);
            let key: SimpleExpr = Expr::case(in_title.clone(), 1_i64).finally(0_i64).into();
            let select = posts
                .filter(words.best(backend, &scope, position))
                .order_by(in_title, direction.clone());
            (select, key.cast_as("bigint"))
        } else {
            if let Some(cursor) = cursor {
                scope.filter = scope.filter.add(match direction {
                    Order::Asc => id.clone().gt(cursor.id),
                    _ => id.clone().lt(cursor.id),
                });
            }
            (posts.filter(words.first(backend, &scope)), id.clone())
        };
        select.expr_as(key, "key").order_by(id, direction)
    }
}

/// Makes a page of `rows` in the order of the query.
pub(super) fn page_of(rows: Vec<FeedRow>, query: &FeedQuery) -> Page<PostView, FeedCursor> {
    let sort = query.sort();
    let page = query.page_request().page(rows, |row, before| FeedCursor {
        sort,
        cursor: Cursor {
            before,
            key: match sort {
                Sort::Top | Sort::Hot | Sort::Best => row.key,
                Sort::New | Sort::Old if query.has_time_bounds() => {
                    to_microseconds(row.post.row.created_at)
                }
                Sort::New | Sort::Old => 0,
            },
            id: row.post.row.id.get(),
        },
    });
    page.map(|row| row.post)
}
