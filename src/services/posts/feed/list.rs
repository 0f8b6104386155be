//! Lists of posts: one query each.

use entity::{
    post_tags,
    posts::{COLUMN, Entity},
    ranks, users, votes,
};
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IntoSimpleExpr,
    Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Expr, ExprTrait},
};
use time::OffsetDateTime;

use super::{
    Page, Position, Query, Sort,
    filter::{fitting, joined},
};
use crate::{
    db::{Autocommit, comparable, page},
    services::posts::{
        Post, is_of, readable,
        search::{Words, found},
        visible_posts,
    },
};

/// A post of a list.
#[derive(Clone, FromQueryResult)]
pub(super) struct Listed {
    #[sea_orm(nested)]
    pub(super) post: Post,
    /// What it is ordered by besides its number.
    key: i64,
}

/// What a list is to be made of.
pub(in crate::services::posts) struct Wanted<'a> {
    pub(in crate::services::posts) query: &'a Query,
    /// Whose votes and drafts the query may be about.
    pub(in crate::services::posts) reader: Option<i64>,
    /// Whether a post is seen even if it is a draft.
    pub(in crate::services::posts) own: Option<Expr>,
    /// How many posts at most.
    pub(in crate::services::posts) rows: u64,
    /// What must hold of the posts, but for their words, tag and votes.
    pub(in crate::services::posts) fitting: Condition,
    words: Option<Words>,
    pub(in crate::services::posts) backend: DbBackend,
}

impl<'a> Wanted<'a> {
    /// `None` when no post can fit.
    pub(super) fn new(
        query: &'a Query,
        reader: Option<i64>,
        own: Option<Expr>,
        backend: DbBackend,
    ) -> Option<Self> {
        let words = Words::parse(&query.search);
        if words.as_ref().is_some_and(Words::is_empty) {
            return None;
        }
        Some(Self {
            query,
            reader,
            own,
            rows: query.limit.saturating_add(1),
            fitting: fitting(reader, query, backend)?,
            words,
            backend,
        })
    }

    /// Those of `posts`, as [`Listed`].
    pub(super) fn of(&self, posts: Select<Entity>) -> Statement {
        let Self { query, backend, .. } = *self;
        let select = match &self.words {
            Some(words) if query.by_number() => found(posts, self, words),
            words => {
                let posts = ordered(joined(posts, self.reader, query), query, backend);
                let posts = posts.filter(self.fitting.clone());
                match words {
                    Some(words) => posts.filter(words.all(backend)),
                    None => posts,
                }
            }
        };
        page(select.build(backend), self.rows, query.skip)
    }

    /// How many there are, wherever the list begins.
    async fn count(&self, connection: &Autocommit) -> Result<u64, DbErr> {
        let counted = Entity::find()
            .select_only()
            .expr(COLUMN.id.count())
            .inner_join(users::Entity)
            .filter(readable(self.own.clone()))
            .filter(self.fitting.clone());
        let mut counted = joined(counted, self.reader, self.query);
        if let Some(words) = &self.words {
            counted = counted.filter(words.all(self.backend));
        }
        let counts: Vec<i64> = counted.into_tuple().all(connection).await?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }
}

/// The list of one reader.
pub(super) async fn list<R>(
    connection: &Autocommit,
    reader: Option<i64>,
    query: &Query,
) -> Result<Page<R>, DbErr> {
    let (backend, whose) = (connection.get_database_backend(), reader.map(Expr::value));
    let own = whose.clone().map(is_of);
    let Some(wanted) = Wanted::new(query, reader, own, backend) else {
        let total = query.count.then_some(0);
        return Ok(Page::new(Vec::new(), None, None, total));
    };
    let statement = wanted.of(visible_posts(whose));
    let rows = Listed::find_by_statement(statement).all(connection).await?;
    let mut page = cut(rows, query);
    if query.count {
        page.total = Some(wanted.count(connection).await?);
    }
    Ok(page)
}

/// In the order of `query`, from its position on, each with what it is ordered by as `key`.
fn ordered(mut select: Select<Entity>, query: &Query, backend: DbBackend) -> Select<Entity> {
    let direction = query.sort().direction(query.backwards());
    // The number in the table whose index the database walks.
    let mut id = COLUMN.id.into_simple_expr();
    if query.voted == Some(true) {
        id = votes::COLUMN.post_id.into_simple_expr();
    }
    if query.tag.is_some() {
        id = post_tags::COLUMN.post_id.into_simple_expr();
    }
    let ranked = match query.sort() {
        Sort::Top => Some(ranks::COLUMN.votes.into_simple_expr()),
        Sort::Hot => Some(ranks::COLUMN.hot.into_simple_expr()),
        Sort::New | Sort::Old | Sort::Best => None,
    };
    if ranked.is_some() {
        id = ranks::COLUMN.post_id.into_simple_expr();
        select = select.inner_join(ranks::Entity);
    }
    let place = query.position.unwrap_or(Position::START);
    let key = match &ranked {
        Some(key) => Some((key.clone(), Expr::value(place.key))),
        None if query.in_span() => {
            let written = COLUMN.created_at.into_simple_expr();
            Some(comparable(backend, written, moment(place.key)))
        }
        None => None,
    };
    if query.position.is_some() {
        let ascending = direction == Order::Asc;
        let beyond = |row: Expr, place: Expr| {
            if ascending {
                row.gt(place)
            } else {
                row.lt(place)
            }
        };
        let number = Expr::value(place.id);
        select = match key.clone() {
            None => select.filter(beyond(id.clone(), number)),
            // SQLite walks an index of expressions from one of them on, not from a row, and from
            // the bound that stands first.
            Some((key, beside)) => select
                .filter(if ascending {
                    key.clone().gte(beside.clone())
                } else {
                    key.clone().lte(beside.clone())
                })
                .filter(beyond(
                    Expr::tuple([key, id.clone()]),
                    Expr::tuple([beside, number]),
                )),
        };
    }
    if let Some((key, _)) = key {
        select = select.order_by(key, direction.clone());
    }
    select
        .expr_as(ranked.unwrap_or_else(|| id.clone()), "key")
        .order_by(id, direction)
}

/// A page of `rows`, of which there is one more than asked for where the list goes on.
pub(super) fn cut<R>(mut rows: Vec<Listed>, query: &Query) -> Page<R> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    // Where the reader came from.
    let came = query.position.is_some() || query.skip > 0;
    let (has_next, has_prev) = if query.backwards() {
        rows.reverse();
        (came, more)
    } else {
        (more, came)
    };
    let beside = |row: &Listed, before| Position {
        sort: query.sort(),
        before,
        key: match query.sort() {
            Sort::Top | Sort::Hot | Sort::Best => row.key,
            Sort::New | Sort::Old if query.in_span() => microseconds(row.post.created_at),
            Sort::New | Sort::Old => 0,
        },
        id: row.post.id,
    };
    let last = rows.last().filter(|_| has_next);
    let first = rows.first().filter(|_| has_prev);
    let (next, prev) = (
        last.map(|row| beside(row, false)),
        first.map(|row| beside(row, true)),
    );
    let posts = rows.into_iter().map(|row| row.post).collect();
    Page::new(posts, next, prev, None)
}

/// Since 1970.
fn microseconds(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos() / 1000).unwrap_or_default()
}

/// `microseconds` since 1970; that year's beginning for what no post can have.
fn moment(microseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000)
        .ok()
        .filter(|moment| (0..=9999).contains(&moment.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
