//! Concurrent requests for the same list share a query.

use std::{
    collections::{HashMap, hash_map::Entry},
    marker::PhantomData,
    sync::Arc,
};

use entity::{posts::Column, values::UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryResult,
    sea_query::{Expr, Query},
};
use tokio::task::yield_now;

use super::{
    list::list,
    order::FeedCursor,
    query::FeedQuery,
    select::{FeedRow, FeedSelect, MAX_COUNT, page_of},
};
use crate::{
    db::{Autocommit, Db, Found, SharedRead, ValuesTable, subquery, with_column},
    error::Error,
    services::{
        paging::Page,
        posts::{
            post::{PostView, select_all, voted_by},
            visibility::visible_with_owner,
        },
    },
};

/// Number of extra rows of a shared query. They replace drafts of other viewers.
const EXTRA_ROWS: u64 = 5;

/// A user's id; `None` for an anonymous viewer.
type Viewer = Option<UserId>;

/// The result of [`page`], such as a serialised response. Viewers with equal pages share one.
pub trait FeedRepresentation: Send + Sync + 'static {
    /// Converts `page`.
    fn of(page: Page<PostView, FeedCursor>) -> Self;
}

/// Reads the page of `query` that `viewer` sees.
///
/// Concurrent requests for the same list share a query. Viewers with the same posts and votes share
/// the representation `R`.
///
/// # Errors
/// [`Error::TooManyToCount`], and for an expensive list [`Error::Busy`] and [`Error::ListTooSlow`].
pub async fn page<R: FeedRepresentation>(
    db: &Db,
    viewer: Viewer,
    query: &FeedQuery,
) -> Result<Arc<R>, Error> {
    let slow = |error| match error {
        Error::TooSlow(cause) => Error::ListTooSlow(cause),
        error => error,
    };
    if query.is_shareable() {
        let page = db.shared_read::<SharedPage<R>>(query.clone(), viewer);
        if let Some(page) = page.await.map_err(slow)? {
            return Ok(page);
        }
    }
    let page = db.shared_read::<OwnPage<R>>((query.clone(), viewer), ());
    let page = page.await.map_err(slow)?;
    page.ok_or(Error::TooManyToCount { max: MAX_COUNT })
}

/// The connection for all statements of one list. An expensive list keeps its place until it is
/// dropped.
async fn connection_for(query: &FeedQuery, connection: Autocommit) -> Result<Autocommit, DbErr> {
    if query.is_expensive() {
        connection.for_expensive_list().await
    } else {
        Ok(connection.for_list())
    }
}

/// The page of one viewer. Concurrent requests of that viewer share it. Does not exist if the list has
/// too many posts to count.
struct OwnPage<R>(PhantomData<fn() -> R>);

impl<R: FeedRepresentation> SharedRead for OwnPage<R> {
    type Parameters = (FeedQuery, Viewer);
    type Key = ();
    type Value = Arc<R>;

    async fn read(
        connection: Autocommit,
        (query, viewer): (FeedQuery, Viewer),
        _: Vec<()>,
    ) -> Found<(), Arc<R>> {
        let connection = connection_for(&query, connection).await?;
        let page = list(&connection, viewer, &query).await?;
        drop(connection);
        let page = page.map(|page| ((), Arc::new(R::of(page))));
        Ok(page.into_iter().collect())
    }
}

/// The pages of several viewers. If drafts leave a viewer's page short, that viewer's page is
/// missing and must be read separately.
struct SharedPage<R>(PhantomData<fn() -> R>);

impl<R: FeedRepresentation> SharedRead for SharedPage<R> {
    type Parameters = FeedQuery;
    type Key = Viewer;
    type Value = Arc<R>;

    async fn read(
        connection: Autocommit,
        query: FeedQuery,
        viewers: Vec<Viewer>,
    ) -> Found<Viewer, Arc<R>> {
        let connection = connection_for(&query, connection).await?;
        if let [viewer] = viewers[..] {
            let page = list(&connection, viewer, &query).await?;
            drop(connection);
            let page = page.map(|page| (viewer, Arc::new(R::of(page))));
            return Ok(page.into_iter().collect());
        }
        let rows = SharedRows::read(&connection, &query, &viewers).await?;
        drop(connection);
        // Most viewers voted for none of the posts and share one page.
        let mut distinct: HashMap<Selection, Arc<R>> = HashMap::new();
        let mut pages = Vec::with_capacity(viewers.len());
        for viewer in viewers {
            let Some(selection) = rows.select(viewer) else {
                continue;
            };
            let page = match distinct.entry(selection) {
                Entry::Occupied(page) => Arc::clone(page.get()),
                Entry::Vacant(vacant) => {
                    // Serialising a page takes long: it can have 4 MB. Yield before each page, so
                    // that other tasks run and more requests join the next query.
                    yield_now().await;
                    let page = page_of(rows.copy(vacant.key()), &query);
                    Arc::clone(vacant.insert(Arc::new(R::of(page))))
                }
            };
            pages.push((viewer, page));
        }
        Ok(pages)
    }
}

/// The first posts of a list that any of several viewers sees.
#[derive(Default)]
struct SharedRows {
    rows: Vec<(FeedRow, Voters)>,
    /// Number of rows for a page: its limit and one more.
    needed: usize,
    /// True if the list may continue after `rows`.
    may_continue: bool,
}

/// The viewers who voted for a post.
type Voters = Vec<UserId>;

/// A row of a viewer's page.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Selected {
    /// Its index.
    index: usize,
    /// True if the viewer voted for the post.
    voted: bool,
    /// The viewer, if the row has an external id and belongs to the viewer, who alone sees the id.
    owner: Viewer,
}

/// A viewer's page.
type Selection = Vec<Selected>;

impl SharedRows {
    async fn read(
        connection: &Autocommit,
        query: &FeedQuery,
        viewers: &[Viewer],
    ) -> Result<Self, DbErr> {
        let backend = connection.get_database_backend();
        let user_ids = viewers.iter().flatten().copied();
        let viewers = ValuesTable::new().column("id", user_ids).select(backend);
        let own = Column::OwnerId.in_subquery(viewers.clone());
        let voters = Query::select()
            .expr(Expr::cust("string_agg(CAST(viewers.id AS text), ' ')"))
            .from_subquery(viewers, "viewers")
            .and_where(voted_by(Expr::col(("viewers", "id"))))
            .take();
        let Some(mut select) = FeedSelect::new(query, None, Some(own.clone()), backend) else {
            return Ok(Self::default());
        };
        let needed = usize::try_from(select.rows).unwrap_or(usize::MAX);
        select.rows = select.rows.saturating_add(EXTRA_ROWS);
        let posts = select_all(Expr::value(false)).filter(visible_with_owner(Some(own)));
        let voters = subquery(voters);
        let statement = with_column(select.statement(posts), "posts", voters, "voters");
        let rows = connection.query_all_raw(statement).await?;
        Ok(Self {
            may_continue: u64::try_from(rows.len()) == Ok(select.rows),
            rows: rows.iter().map(row_and_voters).collect::<Result<_, _>>()?,
            needed,
        })
    }

    /// The rows of `viewer`'s page; `None` if the query returned too few rows for it.
    fn select(&self, viewer: Viewer) -> Option<Selection> {
        let visible = |post: &PostView| post.row.published || Some(post.row.owner_id) == viewer;
        let rows = self.rows.iter().enumerate();
        let selection: Selection = rows
            .filter(|(_, (row, _))| visible(&row.post))
            .map(|(index, (row, voters))| {
                let post = &row.post.row;
                let is_own = Some(post.owner_id) == viewer && post.external_id.is_some();
                Selected {
                    index,
                    voted: viewer.is_some_and(|viewer| voters.contains(&viewer)),
                    owner: viewer.filter(|_| is_own),
                }
            })
            .take(self.needed)
            .collect();
        (!self.may_continue || selection.len() == self.needed).then_some(selection)
    }

    fn copy(&self, selection: &Selection) -> Vec<FeedRow> {
        let row = |selected: &Selected| {
            let mut row = self.rows.get(selected.index)?.0.clone();
            row.post.voted = selected.voted;
            row.post.redact(selected.owner);
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
