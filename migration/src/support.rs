//! Refuses databases that resemble PostgreSQL but lack what the schema needs.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Database, Error};

/// Fails if `database`, which `db` is connected to, lacks what the schema needs.
pub(crate) async fn require(database: &Database, db: &impl ConnectionTrait) -> Result<(), Error> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "SELECT version(), EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql));
    let Some(row) = row.await? else {
        return Ok(());
    };
    let version: String = row.try_get_by_index(0)?;
    match reason(&version, row.try_get_by_index(1)?) {
        None => Ok(()),
        Some(reason) => Err(Error::Unsupported(format!("{database} {reason}"))),
    }
}

/// Why a server with this `version()`, and perhaps the extension `citus`, is not supported.
fn reason(version: &str, has_citus: bool) -> Option<String> {
    let (product, lacks) = if version.contains("CockroachDB") {
        (
            "runs on CockroachDB",
            "ignores the advisory lock that separates runs of migrations, and lacks statement triggers with transition tables",
        )
    } else if version.contains("-YB-") {
        (
            "runs on YugabyteDB",
            "lacks the advisory lock and the indexes that the schema needs",
        )
    } else if has_citus {
        (
            "has the extension `citus`",
            "has no statement triggers on distributed tables",
        )
    } else {
        return None;
    };
    Some(format!("{product}, which {lacks}; use PostgreSQL"))
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn compatible_databases_are_refused() {
        let cockroach =
            "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024/05/15 21:28:29, go1.22.2)";
        let yugabyte = "PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang";
        let postgres = "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu";
        assert!(reason(cockroach, false).is_some_and(|reason| reason.contains("CockroachDB")));
        assert!(reason(yugabyte, false).is_some_and(|reason| reason.contains("YugabyteDB")));
        assert!(reason(postgres, true).is_some_and(|reason| reason.contains("citus")));
        assert_eq!(reason(postgres, false), None);
    }
}
