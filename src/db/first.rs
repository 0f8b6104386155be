//! The first row of a query.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Select, SelectTwo};

/// Replaces `one()`, which binds its LIMIT as a parameter: PostgreSQL and SQLite make worse plans if
/// they do not know the value of LIMIT.
pub trait First {
    /// The decoded row.
    type Row;

    /// Runs the query and returns its first row. It reads all rows, so the query must find few.
    fn first<C: ConnectionTrait>(
        self,
        connection: &C,
    ) -> impl Future<Output = Result<Option<Self::Row>, DbErr>> + Send;
}

impl<E: EntityTrait> First for Select<E> {
    type Row = E::Model;

    async fn first<C: ConnectionTrait>(self, connection: &C) -> Result<Option<Self::Row>, DbErr> {
        Ok(self.all(connection).await?.into_iter().next())
    }
}

impl<E: EntityTrait, F: EntityTrait> First for SelectTwo<E, F> {
    type Row = (E::Model, Option<F::Model>);

    async fn first<C: ConnectionTrait>(self, connection: &C) -> Result<Option<Self::Row>, DbErr> {
        Ok(self.all(connection).await?.into_iter().next())
    }
}
