//! Reads that requests share.

use std::sync::Arc;

use sea_orm::{
    DbBackend, DbErr, QueryResult,
    sea_query::{Expr, Func, Query, SelectStatement},
};

use super::{
    Db,
    share::{Found, Shared},
};

/// What one row is asked for by: its number, and who asks (0 is nobody).
pub type Pair = (i64, i64);

/// One worker's reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    rows: Shared<&'static str, Pair, Arc<QueryResult>>,
}

impl Db {
    /// The row of `pair` by `find`, which can look for several at once and gives each with its
    /// pair. `kind` names what `find` looks for.
    pub async fn row<F, R>(
        &self,
        kind: &'static str,
        pair: Pair,
        find: F,
    ) -> Result<Option<Arc<QueryResult>>, DbErr>
    where
        F: FnOnce(Vec<Pair>) -> R + Send + 'static,
        R: Future<Output = Found<Pair, Arc<QueryResult>>> + Send + 'static,
    {
        self.together.rows.get(kind, pair, find).await
    }
}

/// A table of `pairs` with the columns `id` and `reader`, in one text for however many.
#[must_use]
pub fn table(backend: DbBackend, pairs: &[Pair]) -> SelectStatement {
    let mut table = Query::select();
    if backend == DbBackend::Sqlite {
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(id, reader)| format!("[{id},{reader}]"))
            .collect();
        let each = Func::cust("json_each").arg(format!("[{}]", pairs.join(",")));
        table
            .expr_as(Expr::cust("value ->> 0"), "id")
            .expr_as(Expr::cust("value ->> 1"), "reader")
            .from_function(each, "pairs");
    } else {
        let (ids, readers): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
        table
            .expr_as(Func::cust("unnest").arg(ids), "id")
            .expr_as(Func::cust("unnest").arg(readers), "reader");
    }
    table
}
