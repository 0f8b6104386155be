//! Lists that concurrent requests share.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, OnceLock},
};

use entity::posts::COLUMN;
use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryResult,
    sea_query::{Expr, Query, SimpleExpr},
};
use tokio::task::yield_now;

use super::{
    list::list,
    order::FeedCursor,
    query::FeedQuery,
    select::{FeedRow, FeedSelect, page_of},
};
use crate::{
    db::{Db, Each, Found, Shared, beside, table},
    error::Error,
    services::{
        paging::Page,
        posts::{
            post::{Post, select_all, voted_by},
            visibility::visible_with_owner,
        },
    },
};

/// Number of extra rows of a shared query, because drafts of other viewers may be among the rows.
const EXTRA_ROWS: u64 = 5;

/// A user's id; `None` for an anonymous viewer.
type Viewer = Option<i64>;

/// The lists of one worker. Concurrent requests for the same list share a query. Viewers with the
/// same posts and votes share a page, and the representation `R` that the routes make of it.
#[derive(Clone, Debug)]
pub struct Lists<R>(Shared<Lane, Viewer, Arc<FeedPage<R>>>);

/// A list that viewers share, or the list of one viewer.
type Lane = (FeedQuery, Option<Viewer>);

/// A page of posts that viewers may share.
#[derive(Debug)]
pub struct FeedPage<R> {
    /// The posts.
    pub page: Page<Post, FeedCursor>,
    /// The representation of the page. The first request that needs it sets it.
    pub representation: OnceLock<R>,
}

impl<R> Default for Lists<R> {
    fn default() -> Self {
        Self(Shared::default())
    }
}

impl<R> From<Page<Post, FeedCursor>> for FeedPage<R> {
    fn from(page: Page<Post, FeedCursor>) -> Self {
        Self {
            page,
            representation: OnceLock::new(),
        }
    }
}

impl<R: Send + Sync + 'static> Lists<R> {
    /// Reads the page that `viewer` sees of the list.
    pub async fn page(
        &self,
        db: &Db,
        viewer: Viewer,
        query: FeedQuery,
    ) -> Result<Arc<FeedPage<R>>, Error> {
        if query.is_shareable() {
            let (connection, shared) = (db.read().clone(), query.clone());
            let run = move |viewers| shared_pages(connection, shared, viewers);
            if let Some(page) = self.0.get((query.clone(), None), viewer, run).await? {
                return Ok(page);
            }
        }
        let (connection, own) = (db.read().clone(), query.clone());
        let run = move |_| async move {
            let page = own_page(&connection, &own, viewer).await?;
            Ok(vec![(viewer, page)])
        };
        let page = self.0.get((query, Some(viewer)), viewer, run).await?;
        page.ok_or_else(|| Error::Internal("a list has no page".into()))
    }
}

async fn own_page<R>(
    connection: &Each,
    query: &FeedQuery,
    viewer: Viewer,
) -> Result<Arc<FeedPage<R>>, DbErr> {
    let page = list(connection, viewer, query).await?;
    Ok(Arc::new(page.into()))
}

/// The pages of several viewers. If drafts leave a viewer's page short, that viewer's page is
/// missing and must be read separately.
async fn shared_pages<R>(
    connection: Each,
    query: FeedQuery,
    viewers: Vec<Viewer>,
) -> Found<Viewer, Arc<FeedPage<R>>> {
    if let [viewer] = viewers[..] {
        return Ok(vec![(viewer, own_page(&connection, &query, viewer).await?)]);
    }
    let rows = SharedRows::read(&connection, &query, &viewers).await?;
    // Most viewers voted for none of the posts and share one page.
    let mut distinct: HashMap<Selection, Arc<FeedPage<R>>> = HashMap::new();
    let mut pages = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        let Some(selection) = rows.select(viewer) else {
            continue;
        };
        let page = match distinct.entry(selection) {
            Entry::Occupied(page) => Arc::clone(page.get()),
            Entry::Vacant(vacant) => {
                // A page can have 4 MB: do not block the thread for several of them.
                yield_now().await;
                let page = page_of(rows.copy(vacant.key()), &query);
                Arc::clone(vacant.insert(Arc::new(page.into())))
            }
        };
        pages.push((viewer, page));
    }
    Ok(pages)
}

/// The first posts of a list that any of several viewers sees.
#[derive(Default)]
struct SharedRows {
    rows: Vec<(FeedRow, Voters)>,
    /// Number of rows that a page needs: its limit and one more.
    needed: usize,
    /// True if the list may continue after `rows`.
    more: bool,
}

/// The viewers who voted for a post.
type Voters = Vec<i64>;

/// The rows that a viewer gets, by index, and whether the viewer voted for each.
type Selection = Vec<(usize, bool)>;

impl SharedRows {
    async fn read(connection: &Each, query: &FeedQuery, viewers: &[Viewer]) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let known: Vec<_> = viewers.iter().flatten().map(|id| [(*id).into()]).collect();
        let viewers = table(backend, &["reader"], &known);
        let own = COLUMN.owner_id.in_subquery(viewers.clone());
        let voters = Query::select()
            .expr(Expr::cust("string_agg(CAST(reader AS text), ' ')"))
            .from_subquery(viewers, "want")
            .and_where(voted_by(Expr::col(("want", "reader"))))
            .take();
        let Some(mut select) = FeedSelect::new(query, None, Some(own.clone()), backend) else {
            return Ok(Self::default());
        };
        let needed = usize::try_from(select.rows).unwrap_or(usize::MAX);
        select.rows = select.rows.saturating_add(EXTRA_ROWS);
        let posts = select_all(Expr::value(false)).filter(visible_with_owner(Some(own)));
        let voters = SimpleExpr::SubQuery(None, Box::new(voters.into()));
        let statement = beside(select.statement(posts), "posts", voters, "voters");
        let rows = connection.query_all_raw(statement).await?;
        Ok(Self {
            more: u64::try_from(rows.len()) == Ok(select.rows),
            rows: rows.iter().map(row_and_voters).collect::<Result<_, _>>()?,
            needed,
        })
    }

    /// The rows of `viewer`; `None` if these rows are too few to be sure.
    fn select(&self, viewer: Viewer) -> Option<Selection> {
        let visible = |post: &Post| post.published || Some(post.owner_id) == viewer;
        let rows = self.rows.iter().enumerate();
        let selection: Selection = rows
            .filter(|(_, (row, _))| visible(&row.post))
            .map(|(index, (_, voters))| {
                let voted = viewer.is_some_and(|viewer| voters.contains(&viewer));
                (index, voted)
            })
            .take(self.needed)
            .collect();
        (!self.more || selection.len() == self.needed).then_some(selection)
    }

    fn copy(&self, selection: &Selection) -> Vec<FeedRow> {
        let row = |&(index, voted): &(usize, bool)| {
            let mut row = self.rows.get(index)?.0.clone();
            row.post.voted = voted;
            Some(row)
        };
        selection.iter().filter_map(row).collect()
    }
}

fn row_and_voters(row: &QueryResult) -> Result<(FeedRow, Voters), DbErr> {
    let voters: Option<String> = row.try_get("", "voters")?;
    let voters = voters.iter().flat_map(|voters| voters.split(' '));
    let voters = voters.filter_map(|voter| voter.parse().ok()).collect();
    Ok((FeedRow::from_query_result(row, "")?, voters))
}
