//! Several rows in one INSERT.

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait,
    FromQueryResult, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, Value,
    sea_query::{Expr, OnConflict, Order, Query},
};

use super::{RowFilter, ValuesTable};

/// Inserts `rows` by one statement and returns them as inserted, in the same order. `common` sets
/// the columns that are equal in all rows.
///
/// All rows must set the same columns. A column that is null in all rows is left out, so the default of a
/// nullable column must be null. The primary key must be an integer that the database
/// assigns; ids ascend in the order of `rows`.
pub async fn insert_all<A>(
    connection: &impl ConnectionTrait,
    common: A,
    rows: Vec<A>,
) -> Result<Vec<ModelOf<A>>, DbErr>
where
    A: ActiveModelTrait,
{
    let count = rows.len();
    let models = insert(connection, common, rows, None, None).await?;
    if models.len() != count {
        let message = format!("{count} rows were to be inserted, {} were", models.len());
        return Err(DbErr::Custom(message));
    }
    Ok(models)
}

/// Like [`insert_all`], but leaves out the rows that violate a unique constraint, and those that do not fulfil
/// `filter`.
pub async fn insert_new<A>(
    connection: &impl ConnectionTrait,
    common: A,
    rows: Vec<A>,
    filter: Option<RowFilter>,
) -> Result<Vec<ModelOf<A>>, DbErr>
where
    A: ActiveModelTrait,
{
    let mut on_conflict = OnConflict::new();
    on_conflict.do_nothing();
    insert(connection, common, rows, filter, Some(on_conflict)).await
}

async fn insert<A>(
    connection: &impl ConnectionTrait,
    mut common: A,
    rows: Vec<A>,
    filter: Option<RowFilter>,
    on_conflict: Option<OnConflict>,
) -> Result<Vec<ModelOf<A>>, DbErr>
where
    A: ActiveModelTrait,
{
    let (mut columns, mut table) = values_of(rows)?;
    let mut values = Query::select();
    values.columns(columns.iter().copied());
    for column in ColumnOf::<A>::iter() {
        if let ActiveValue::Set(value) = common.take(column) {
            values.expr(Expr::value(value));
            columns.push(column);
        }
    }
    if let Some(filter) = filter {
        table = filter.apply(table, &mut values);
    }
    let values = values
        .from_subquery(
            table.select(connection.get_database_backend()),
            RowFilter::TABLE,
        )
        // Both databases assign ids in this order.
        .order_by(ValuesTable::POSITION, Order::Asc)
        .take();
    let mut insert = Query::insert()
        .into_table(A::Entity::default())
        .columns(columns)
        .select_from(values)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .returning(Query::returning().columns(ColumnOf::<A>::iter()))
        .take();
    if let Some(on_conflict) = on_conflict {
        insert.on_conflict(on_conflict);
    }
    let inserted = connection.query_all(&insert).await?;
    let models = inserted.iter().map(|row| {
        let model = ModelOf::<A>::from_query_result(row, "")?;
        Ok((id_of(&model)?, model))
    });
    let mut models = models.collect::<Result<Vec<_>, DbErr>>()?;
    // RETURNING promises no order.
    models.sort_by_key(|(id, _)| *id);
    Ok(models.into_iter().map(|(_, model)| model).collect())
}

type ColumnOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;
type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;

/// The columns that `rows` set, and their values.
fn values_of<A: ActiveModelTrait>(
    mut rows: Vec<A>,
) -> Result<(Vec<ColumnOf<A>>, ValuesTable), DbErr> {
    let mut table = ValuesTable::numbered(rows.len());
    let mut columns = Vec::new();
    for column in ColumnOf::<A>::iter() {
        let values = rows.iter_mut().filter_map(|row| match row.take(column) {
            ActiveValue::Set(value) => Some(value),
            _ => None,
        });
        let values: Vec<Value> = values.collect();
        let Some(first) = values.first() else {
            continue;
        };
        if values.len() != rows.len() {
            let message = format!("some rows lack the column {}", column.as_str());
            return Err(DbErr::Custom(message));
        }
        let array_type = first.array_type();
        let is_nullable = column.def().is_null();
        if is_nullable && values.iter().all(|value| *value == value.as_null()) {
            continue;
        }
        table = table.dynamic_column(column.as_str(), array_type, is_nullable, values);
        columns.push(column);
    }
    Ok((columns, table))
}

fn id_of<M: ModelTrait>(model: &M) -> Result<i64, DbErr> {
    let mut key = <M::Entity as EntityTrait>::PrimaryKey::iter();
    match key.next().map(|column| model.get(column.into_column())) {
        Some(Value::BigInt(Some(id))) => Ok(id),
        _ => Err(DbErr::Custom(
            "the primary key is not an integer".to_owned(),
        )),
    }
}
