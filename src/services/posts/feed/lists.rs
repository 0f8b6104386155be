//! Lists for many who ask at once.

use std::{
    collections::{HashMap, hash_map::Entry},
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
    db::{Db, Each, Found, Shared, beside, table},
    error::Error,
    services::posts::{Post, posts_with, readable, vote_of},
};

/// How many posts more than one reader's page are read for several readers: others' drafts may be
/// among them.
const DRAFTS: u64 = 5;

/// Somebody, or nobody who is known.
type Reader = Option<i64>;

/// One worker's lists. Requests for the same list at the same time share a query, and those that are
/// given the same posts and votes what is made of them, an `A`.
#[derive(Clone, Debug)]
pub struct Lists<A>(Shared<Lane, Reader, Arc<Page<A>>>);

/// A list that readers share, or one reader's own.
type Lane = (Query, Option<Reader>);

impl<A> Default for Lists<A> {
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
        reader: Reader,
        query: Query,
        make: Make<A>,
    ) -> Result<Arc<Page<A>>, Error> {
        if query.is_for_all() {
            let (connection, asked) = (db.read().clone(), query.clone());
            let run = move |readers| pages(connection, asked, readers, make);
            if let Some(page) = self.0.get((query.clone(), None), reader, run).await? {
                return Ok(page);
            }
        }
        let (connection, asked) = (db.read().clone(), query.clone());
        let run = move |_| async move {
            let page = alone(&connection, &asked, reader, make).await?;
            Ok(vec![(reader, page)])
        };
        let page = self.0.get((query, Some(reader)), reader, run).await?;
        page.ok_or_else(|| Error::Internal("a list has no page".into()))
    }
}

async fn alone<A>(
    connection: &Each,
    query: &Query,
    reader: Reader,
    make: Make<A>,
) -> Result<Arc<Page<A>>, DbErr> {
    let (posts, page) = list(connection, reader, query).await?;
    make(posts, page).map(Arc::new).map_err(DbErr::Custom)
}

/// The pages of those readers for whom they are sure.
async fn pages<A>(
    connection: Each,
    query: Query,
    readers: Vec<Reader>,
    make: Make<A>,
) -> Found<Reader, Arc<Page<A>>> {
    if let [reader] = readers[..] {
        return Ok(vec![(
            reader,
            alone(&connection, &query, reader, make).await?,
        )]);
    }
    let common = Common::read(&connection, &query, &readers).await?;
    // Most readers voted for none of these posts, and are given the same page.
    let mut equal: HashMap<Seen, Arc<Page<A>>> = HashMap::new();
    let mut pages = Vec::with_capacity(readers.len());
    for reader in readers {
        let Some(seen) = common.seen(reader) else {
            continue;
        };
        let page = match equal.entry(seen) {
            Entry::Occupied(page) => Arc::clone(page.get()),
            Entry::Vacant(place) => {
                // A page can be of 4 MB, and others wait for this thread.
                yield_now().await;
                let (posts, page) = cut(common.of(place.key()), &query);
                let page = make(posts, page).map_err(DbErr::Custom)?;
                Arc::clone(place.insert(Arc::new(page)))
            }
        };
        pages.push((reader, page));
    }
    Ok(pages)
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
    async fn read(connection: &Each, query: &Query, readers: &[Reader]) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let known: Vec<_> = readers.iter().flatten().map(|id| [(*id).into()]).collect();
        let readers = table(backend, &["reader"], &known);
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
