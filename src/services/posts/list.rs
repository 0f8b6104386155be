//! Lists of posts: one query each.

use std::sync::Arc;

use entity::{
    post_tags,
    posts::{COLUMN, Entity},
    ranks, users, votes,
};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IntoSimpleExpr, Order,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};
use time::OffsetDateTime;

use super::{
    Page, Position, Post, Query, Sort,
    filter::{fitting, joined},
    readable_by,
    search::found,
    visible_posts,
};
use crate::{
    db::{Db, Each, Shared, Words, comparable, page},
    error::Error,
};

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    post: Post,
    key: i64,
}

/// One worker's lists. Requests for the same list at the same time share a query and what is made
/// of it, an `A`.
#[derive(Clone, Debug)]
pub struct Lists<A>(Shared<(Option<i64>, Query), (), Arc<Page<A>>>);

impl<A: Send + Sync + 'static> Default for Lists<A> {
    fn default() -> Self {
        Self(Shared::default())
    }
}

/// What becomes of posts and of where their list goes on.
pub type Make<A> = fn(Vec<Post>, Page<()>) -> Result<Page<A>, String>;

impl<A: Send + Sync + 'static> Lists<A> {
    /// The posts that `reader` may see and that fit `query`, as `make` makes them; it is given
    /// where the list goes on and how long it is, too. Every call is to have the same `make`.
    pub async fn page(
        &self,
        db: &Db,
        reader: Option<i64>,
        query: Query,
        make: Make<A>,
    ) -> Result<Arc<Page<A>>, Error> {
        let (connection, asked) = (db.read().clone(), query.clone());
        let run = move |_| async move {
            let (posts, page) = list(&connection, reader, &asked).await?;
            let page = make(posts, page).map_err(DbErr::Custom)?;
            Ok(vec![((), Arc::new(page))])
        };
        let page = self.0.get((reader, query), (), run).await?;
        page.ok_or_else(|| Error::Internal("a list has no page".into()))
    }
}

async fn list(
    connection: &Each,
    reader: Option<i64>,
    query: &Query,
) -> Result<(Vec<Post>, Page<()>), DbErr> {
    let backend = connection.get_database_backend();
    let words = Words::parse(&query.search);
    let some = words.as_ref().is_none_or(|words| !words.is_empty());
    let Some(fitting) = fitting(reader, query, backend).filter(|_| some) else {
        let total = query.count.then_some(0);
        return Ok((Vec::new(), Page::new(None, None, total)));
    };
    let posts = visible_posts(reader.map(Expr::value));
    let select = match &words {
        Some(words) if query.by_number() => found(posts, reader, query, words, &fitting, backend),
        _ => {
            let posts = ordered(joined(posts, reader, query), query, backend);
            let posts = posts.filter(fitting.clone());
            match &words {
                Some(words) => posts.filter(words.all(backend)),
                None => posts,
            }
        }
    };
    let statement = page(select.build(backend), query.limit + 1, query.skip);
    let rows = Row::find_by_statement(statement).all(connection).await?;
    let (posts, mut page) = cut(rows, query);
    if query.count {
        let counted = Entity::find()
            .select_only()
            .expr(COLUMN.id.count())
            .inner_join(users::Entity)
            .filter(readable_by(reader.map(Expr::value)))
            .filter(fitting);
        let mut counted = joined(counted, reader, query);
        if let Some(words) = &words {
            counted = counted.filter(words.all(backend));
        }
        let counts: Vec<i64> = counted.into_tuple().all(connection).await?;
        page.total = counts.first().map(|count| count.unsigned_abs());
    }
    Ok((posts, page))
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
fn cut(mut rows: Vec<Row>, query: &Query) -> (Vec<Post>, Page<()>) {
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
    let beside = |row: &Row, before| Position {
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
    (posts, Page::new(next, prev, None))
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
