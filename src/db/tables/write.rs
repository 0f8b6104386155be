//! Writes rows with given ids, past the triggers of a table if needed.

use sqlx::{
    Arguments, AssertSqlSafe, Row, postgres::PgArguments, query, query_with,
    sqlite::SqliteArguments,
};

use super::{
    Kind, Table, Tables, Value, quoted,
    read::{canonical, sequence},
};

/// Rows of one statement of SQLite. More are not faster, and its compiled form grows with them.
const ROWS: usize = 100;

/// The triggers of a table that do not fire for now.
#[derive(Debug)]
pub struct SuspendedTriggers {
    table: &'static str,
    /// The statements that create them again. Only SQLite needs them.
    statements: Vec<String>,
}

impl Tables {
    /// Inserts `rows`, which have a value for each column of `table`, in their order.
    pub async fn insert(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), sqlx::Error> {
        let columns: Vec<String> = table.columns.iter().map(|it| quoted(&it.name)).collect();
        let into = format!(
            "INSERT INTO {} ({})",
            quoted(table.name),
            columns.join(", ")
        );
        let encoded = sqlx::Error::Encode;
        match self {
            Self::Sqlite(connection) => {
                let row = format!("({})", vec!["?"; columns.len()].join(", "));
                let mut rest = rows.into_iter().peekable();
                while rest.peek().is_some() {
                    let mut arguments = SqliteArguments::default();
                    let mut count = 0;
                    for values in rest.by_ref().take(ROWS) {
                        count += 1;
                        for value in values {
                            add(&mut arguments, value).map_err(encoded)?;
                        }
                    }
                    let sql = format!("{into} VALUES {}", vec![&*row; count].join(", "));
                    let insert = query_with(AssertSqlSafe(sql), arguments);
                    // The other statements have other numbers of rows, and are not used again.
                    let insert = insert.persistent(count == ROWS);
                    insert.execute(&mut **connection).await?;
                }
            }
            Self::Postgres(connection) => {
                let mut arguments = PgArguments::default();
                let (mut arrays, mut values) = (Vec::new(), Vec::new());
                let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
                for (place, column) in table.columns.iter().enumerate() {
                    let cells = rows.iter_mut().filter_map(Iterator::next);
                    add_array(&mut arguments, column.kind, cells).map_err(encoded)?;
                    arrays.push(format!("${}::{}[]", place + 1, canonical(column.kind)));
                    values.push(format!("c{place}::{}", column.sql_type));
                }
                let names: Vec<String> = (0..columns.len()).map(|it| format!("c{it}")).collect();
                let sql = format!(
                    "{into} SELECT {} FROM unnest({}) AS cells ({})",
                    values.join(", "),
                    arrays.join(", "),
                    names.join(", ")
                );
                query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut **connection)
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes `last` the last assigned id of `table`: the next one is higher.
    ///
    /// PostgreSQL does not roll this back. Call it directly before [`commit`](Self::commit), after the last
    /// check.
    pub async fn set_last_id(&mut self, table: &Table, last: i64) -> Result<(), sqlx::Error> {
        let Some(key) = table.columns.first().filter(|_| table.has_sequence) else {
            return Ok(());
        };
        let name = table.name;
        let sql = match self {
            Self::Sqlite(_) => format!(
                "DELETE FROM sqlite_sequence WHERE name = '{name}'; \
                 INSERT INTO sqlite_sequence (name, seq) VALUES ('{name}', {last})"
            ),
            Self::Postgres(_) => format!(
                "SELECT setval({}, {}, {})",
                sequence(table, &key.name),
                last.max(1),
                last > 0
            ),
        };
        self.run(&sql).await
    }

    /// Keeps the triggers of `table` from firing, until [`resume_triggers`](Self::resume_triggers) in
    /// the same transaction. On PostgreSQL only the owner of the table may do this.
    pub async fn suspend_triggers(
        &mut self,
        table: &Table,
    ) -> Result<SuspendedTriggers, sqlx::Error> {
        let mut suspended = SuspendedTriggers {
            table: table.name,
            statements: Vec::new(),
        };
        match self {
            Self::Postgres(_) => {
                // Not those that check foreign keys.
                let disable = format!("ALTER TABLE {} DISABLE TRIGGER USER", quoted(table.name));
                self.run(&disable).await?;
            }
            Self::Sqlite(connection) => {
                let triggers = "SELECT name, sql FROM sqlite_master \
                                WHERE type = 'trigger' AND tbl_name = ? ORDER BY rowid";
                let triggers = query(triggers).bind(table.name);
                let triggers = triggers.fetch_all(&mut **connection).await?;
                for trigger in triggers {
                    let name: String = trigger.try_get(0)?;
                    suspended.statements.push(trigger.try_get(1)?);
                    self.run(&format!("DROP TRIGGER {}", quoted(&name))).await?;
                }
            }
        }
        Ok(suspended)
    }

    /// Makes the triggers fire again.
    pub async fn resume_triggers(
        &mut self,
        suspended: SuspendedTriggers,
    ) -> Result<(), sqlx::Error> {
        if let Self::Postgres(_) = self {
            let table = quoted(suspended.table);
            self.run(&format!("ALTER TABLE {table} ENABLE TRIGGER USER"))
                .await?;
        }
        for statement in suspended.statements {
            self.run(&statement).await?;
        }
        Ok(())
    }

    /// Collects statistics of new rows for PostgreSQL's planner, which would do so only later. Does
    /// nothing on SQLite.
    pub async fn analyze(&mut self, table: &Table) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.run(&format!("ANALYZE {}", quoted(table.name))).await,
        }
    }
}

type Encoded = Result<(), sqlx::error::BoxDynError>;

fn add(arguments: &mut SqliteArguments, value: Value) -> Encoded {
    match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Integer(value) => arguments.add(value),
        Value::Boolean(value) => arguments.add(value),
        Value::Text(value) => arguments.add(value),
        Value::Time(value) => arguments.add(value),
        Value::Bytes(value) => arguments.add(value),
    }
}

/// Adds the values of a column. Each is null or of `kind`.
fn add_array(
    arguments: &mut PgArguments,
    kind: Kind,
    values: impl Iterator<Item = Value>,
) -> Encoded {
    macro_rules! array {
        ($kind:ident) => {
            values
                .map(|value| match value {
                    Value::$kind(value) => Some(value),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
    }
    match kind {
        Kind::Integer => arguments.add(array!(Integer)),
        Kind::Boolean => arguments.add(array!(Boolean)),
        Kind::Text => arguments.add(array!(Text)),
        Kind::Time => arguments.add(array!(Time)),
        Kind::Bytes => arguments.add(array!(Bytes)),
    }
}
