//! The first row of a query.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Select, SelectTwo};

/// In place of `one()`, which binds a LIMIT: PostgreSQL and SQLite plan worse for a LIMIT that they
/// do not see.
pub trait First {
    /// What a row holds.
    type Row;

    /// Runs the query and returns its first row. The query itself must find few.
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
