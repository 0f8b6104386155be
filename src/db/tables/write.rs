//! Writes rows with given ids, past the triggers of a table if needed.

use sqlx::{
    Arguments, AssertSqlSafe, postgres::PgArguments, query_as, query_with, sqlite::SqliteArguments,
};

use super::{
    Kind, Table, Tables, Value, quoted,
    read::{canonical, sequence},
};

/// Rows of one statement of SQLite. More are not faster, and its compiled form grows with them.
const ROWS: usize = 100;

/// Names and definitions of triggers. Not of those that check foreign keys.
const POSTGRES_TRIGGERS: &str = "SELECT tgname::text, '' FROM pg_trigger
    WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgname LIKE $2 ORDER BY tgname";
const SQLITE_TRIGGERS: &str = "SELECT name, sql FROM sqlite_master
    WHERE type = 'trigger' AND tbl_name = ? AND name LIKE ? ORDER BY rowid";

/// The triggers of a table that do not fire for now.
#[derive(Debug)]
pub struct SuspendedTriggers {
    /// The statements that make them fire again.
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
            Self::Postgres(opened) => {
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
                    .execute(&mut opened.connection)
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

    /// Keeps the triggers of `table` with names like `names` (SQL LIKE) from firing, until
    /// [`resume_triggers`](Self::resume_triggers) in the same transaction. On PostgreSQL only the owner of the
    /// table may do this.
    pub async fn suspend_triggers(
        &mut self,
        table: &Table,
        names: &str,
    ) -> Result<SuspendedTriggers, sqlx::Error> {
        let name = quoted(table.name);
        let triggers: Vec<(String, String)> = match self {
            Self::Sqlite(connection) => {
                let triggers = query_as(SQLITE_TRIGGERS).bind(table.name).bind(names);
                triggers.fetch_all(&mut **connection).await?
            }
            Self::Postgres(opened) => {
                let triggers = query_as(POSTGRES_TRIGGERS).bind(table.name).bind(names);
                triggers.fetch_all(&mut opened.connection).await?
            }
        };
        let mut statements = Vec::new();
        for (trigger, definition) in triggers {
            let trigger = quoted(&trigger);
            let (suspend, resume) = match self {
                Self::Sqlite(_) => (format!("DROP TRIGGER {trigger}"), definition),
                Self::Postgres(_) => (
                    format!("ALTER TABLE {name} DISABLE TRIGGER {trigger}"),
                    format!("ALTER TABLE {name} ENABLE TRIGGER {trigger}"),
                ),
            };
            self.run(&suspend).await?;
            statements.push(resume);
        }
        Ok(SuspendedTriggers { statements })
    }

    /// Makes the triggers fire again.
    pub async fn resume_triggers(
        &mut self,
        suspended: SuspendedTriggers,
    ) -> Result<(), sqlx::Error> {
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
