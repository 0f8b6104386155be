//! Lists that several readers ask for at once.

use std::{
    collections::{HashMap, hash_map::Entry},
    marker::PhantomData,
    sync::Arc,
};

use entity::posts::COLUMN;
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryResult,
    sea_query::{Expr, Query as Sql, SimpleExpr},
};
use tokio::task::yield_now;

use super::{
    Page, Query,
    list::{Listed, Wanted, cut, list},
};
use crate::{
    db::{Autocommit, Db, Found, SharedRead, ValuesTable, beside},
    error::Error,
    services::posts::{Post, posts_with, readable, vote_of},
};

/// Posts read for several readers beyond the page of one: some may be drafts of others.
const DRAFTS: u64 = 5;

/// A user, or an anonymous reader.
type Reader = Option<i64>;

/// The posts that `reader` may see and that fit `query`.
///
/// Requests for the same list at the same time share a query. Readers of the same posts with the
/// same votes share a page, and so its rendered form `R`.
pub async fn page<R: Send + Sync + 'static>(
    db: &Db,
    reader: Reader,
    query: Query,
) -> Result<Arc<Page<R>>, Error> {
    if query.is_for_all() {
        let page = db
            .shared_read::<PageForAll<R>>(query.clone(), reader)
            .await?;
        if let Some(page) = page {
            return Ok(page);
        }
    }
    let page = db.shared_read::<PageForOne<R>>((query, reader), ()).await?;
    page.ok_or_else(|| Error::internal("a list has no page"))
}

/// A list for several readers. A reader has no entry if the drafts of others leave the page short.
struct PageForAll<R>(PhantomData<fn() -> R>);

impl<R: Send + Sync + 'static> SharedRead for PageForAll<R> {
    type Lane = Query;
    type Key = Reader;
    type Value = Arc<Page<R>>;

    async fn read(
        connection: Autocommit,
        query: Query,
        readers: Vec<Reader>,
    ) -> Found<Reader, Arc<Page<R>>> {
        if let [reader] = readers[..] {
            let page = list(&connection, reader, &query).await?;
            return Ok(vec![(reader, Arc::new(page))]);
        }
        let common = Common::read(&connection, &query, &readers).await?;
        // Most readers voted for none of these posts and share one page.
        let mut equal: HashMap<Seen, Arc<Page<R>>> = HashMap::new();
        let mut pages = Vec::with_capacity(readers.len());
        for reader in readers {
            let Some(seen) = common.seen(reader) else {
                continue;
            };
            let page = match equal.entry(seen) {
                Entry::Occupied(page) => Arc::clone(page.get()),
                Entry::Vacant(place) => {
                    // A page can have 4 MB. Other requests need this thread too.
                    yield_now().await;
                    let page = cut(common.of(place.key()), &query);
                    Arc::clone(place.insert(Arc::new(page)))
                }
            };
            pages.push((reader, page));
        }
        Ok(pages)
    }
}

/// The list of one reader.
struct PageForOne<R>(PhantomData<fn() -> R>);

impl<R: Send + Sync + 'static> SharedRead for PageForOne<R> {
    type Lane = (Query, Reader);
    type Key = ();
    type Value = Arc<Page<R>>;

    async fn read(
        connection: Autocommit,
        (query, reader): (Query, Reader),
        _: Vec<()>,
    ) -> Found<(), Arc<Page<R>>> {
        let page = list(&connection, reader, &query).await?;
        Ok(vec![((), Arc::new(page))])
    }
}

/// The first posts of a list that any of some readers may see.
#[derive(Default)]
struct Common {
    rows: Vec<(Listed, Voters)>,
    /// How many a reader's page takes, and one to know that the list goes on.
    most: usize,
    /// Whether there may be more than `rows`.
    more: bool,
}

/// Which of the readers voted for a post.
type Voters = Vec<i64>;

/// The places of the posts that a reader is given, and whether the reader voted for each.
type Seen = Vec<(usize, bool)>;

impl Common {
    async fn read(
        connection: &Autocommit,
        query: &Query,
        readers: &[Reader],
    ) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let users = readers.iter().flatten().copied();
        let readers = ValuesTable::new().column("reader", users).select(backend);
        let own = COLUMN.owner_id.in_subquery(readers.clone());
        let voters = Sql::select()
            .expr(Expr::cust("string_agg(CAST(reader AS text), ' ')"))
            .from_subquery(readers, "want")
            .and_where(vote_of(Expr::col(("want", "reader"))))
            .take();
        let Some(mut wanted) = Wanted::new(query, None, Some(own.clone()), backend) else {
            return Ok(Self::default());
        };
        let most = usize::try_from(wanted.rows).unwrap_or(usize::MAX);
        wanted.rows = wanted.rows.saturating_add(DRAFTS);
        let posts = posts_with(Expr::value(false)).filter(readable(Some(own)));
        let voters = SimpleExpr::SubQuery(None, Box::new(voters.into()));
        let statement = beside(wanted.of(posts), "posts", voters, "voters");
        let rows = connection.query_all_raw(statement).await?;
        Ok(Self {
            more: u64::try_from(rows.len()) == Ok(wanted.rows),
            rows: rows.iter().map(listed).collect::<Result<_, _>>()?,
            most,
        })
    }

    /// What `reader` would be given alone, as far as it is sure.
    fn seen(&self, reader: Reader) -> Option<Seen> {
        let visible = |post: &Post| post.published || Some(post.owner_id) == reader;
        let rows = self.rows.iter().enumerate();
        let seen: Seen = rows
            .filter(|(_, (row, _))| visible(&row.post))
            .map(|(place, (_, voters))| {
                let voted = reader.is_some_and(|reader| voters.contains(&reader));
                (place, voted)
            })
            .take(self.most)
            .collect();
        (!self.more || seen.len() == self.most).then_some(seen)
    }

    fn of(&self, seen: &Seen) -> Vec<Listed> {
        let row = |&(place, voted): &(usize, bool)| {
            let mut row = self.rows.get(place)?.0.clone();
            row.post.voted = voted;
            Some(row)
        };
        seen.iter().filter_map(row).collect()
    }
}

fn listed(row: &QueryResult) -> Result<(Listed, Voters), DbErr> {
    let voters: Option<String> = row.try_get("", "voters")?;
    let voters = voters.iter().flat_map(|voters| voters.split(' '));
    let voters = voters.filter_map(|voter| voter.parse().ok()).collect();
    Ok((Listed::from_query_result(row, "")?, voters))
}
