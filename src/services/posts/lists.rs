//! Lists for many who ask at once.

use std::sync::Arc;

use entity::posts::COLUMN;
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryResult, QuerySelect,
    sea_query::{Expr, Query as Sql, SimpleExpr},
};

use super::{
    Page, Post, Query,
    list::{Listed, Wanted, cut, list},
    posts_with, readable, vote_of,
};
use crate::{
    db::{Db, Each, Found, Shared, table},
    error::Error,
};

/// How many posts more than one reader's page are read for several readers: others' drafts may be
/// among them.
const DRAFTS: u64 = 5;

/// Somebody, or nobody who is known.
type Reader = Option<i64>;

/// One worker's lists. Requests for the same list at the same time share a query, and equal readers
/// what is made of it, an `A`.
#[derive(Clone, Debug)]
pub struct Lists<A>(Shared<(Reader, Query), Reader, Arc<Page<A>>>);

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
        let (connection, asked) = (db.read().clone(), query.clone());
        let run = move |readers| pages(connection, asked, readers, make);
        let whose = reader.filter(|_| !query.is_for_all());
        let page = self.0.get((whose, query), reader, run).await?;
        page.ok_or_else(|| Error::Internal("a list has no page".into()))
    }
}

async fn pages<A>(
    connection: Each,
    query: Query,
    readers: Vec<Reader>,
    make: Make<A>,
) -> Found<Reader, Arc<Page<A>>> {
    let mut together = None;
    if readers.len() > 1 {
        together = Some(Together::read(&connection, &query, &readers).await?);
    }
    let mut pages = Vec::with_capacity(readers.len());
    for reader in readers {
        let rows = together.as_ref().and_then(|rows| rows.of(reader));
        let (posts, page) = match rows {
            Some(rows) => cut(rows, &query),
            None => list(&connection, reader, &query).await?,
        };
        let page = make(posts, page).map_err(DbErr::Custom)?;
        pages.push((reader, Arc::new(page)));
    }
    Ok(pages)
}

/// The first posts of a list that any of some readers may see.
struct Together {
    rows: Vec<(Listed, Voters)>,
    /// How many a reader's page takes, and one to know that the list goes on.
    most: u64,
    /// Whether there are no more.
    whole: bool,
}

/// Which of the readers voted for a post.
type Voters = Vec<i64>;

impl Together {
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
        let most = query.limit.saturating_add(1);
        let Some(mut wanted) = Wanted::new(query, None, Some(own.clone()), backend) else {
            return Ok(Self {
                rows: Vec::new(),
                most,
                whole: true,
            });
        };
        wanted.rows = wanted.rows.saturating_add(DRAFTS);
        let posts = posts_with(Expr::value(false))
            .filter(readable(Some(own)))
            .expr_as(
                SimpleExpr::SubQuery(None, Box::new(voters.into())),
                "voters",
            );
        let rows = connection.query_all_raw(wanted.of(posts)).await?;
        Ok(Self {
            whole: count(rows.len()) < wanted.rows,
            rows: rows.iter().map(listed).collect::<Result<_, _>>()?,
            most,
        })
    }

    /// What `reader` would be given alone, as far as it is sure.
    fn of(&self, reader: Reader) -> Option<Vec<Listed>> {
        let seen = |post: &Post| post.published || Some(post.owner_id) == reader;
        let seen = self.rows.iter().filter(|(row, _)| seen(&row.post));
        let rows: Vec<Listed> = seen
            .take(usize::try_from(self.most).unwrap_or(usize::MAX))
            .map(|(row, voters)| {
                let mut row = row.clone();
                row.post.voted = reader.is_some_and(|reader| voters.contains(&reader));
                row
            })
            .collect();
        (self.whole || count(rows.len()) == self.most).then_some(rows)
    }
}

fn listed(row: &QueryResult) -> Result<(Listed, Voters), DbErr> {
    let voters: Option<String> = row.try_get("", "voters")?;
    let voters = voters.iter().flat_map(|voters| voters.split(' '));
    let voters = voters.filter_map(|voter| voter.parse().ok()).collect();
    Ok((Listed::from_query_result(row, "")?, voters))
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
