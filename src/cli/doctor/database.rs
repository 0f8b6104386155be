//! The database: whether it answers, is migrated, is sound, and is reached as it should be.

use migration::{Command, Database, Error};

use super::{Finding, files, settings::Known};
use crate::db::{self, Facts, Postgres, Sqlite};

/// The oldest major version of PostgreSQL that still gets fixes: 14 got its last in November 2026.
const OLDEST_POSTGRES: i32 = 15;
/// Seconds by which the clocks of the two machines may differ.
const SKEW: f64 = 5.0;
/// Seconds beyond which times and the ends of tokens are plainly wrong.
const GROSS_SKEW: f64 = 60.0;

pub(super) async fn check(known: &Known) -> Vec<Finding> {
    const WHAT: &str = "database";
    let database = &known.database;
    let mut findings = Vec::new();
    if let Database::Sqlite(options) = database {
        let file = options.get_filename();
        if !file.exists() {
            let said = format!("{database} is not there yet; `acclaim serve` makes it");
            findings.push(Finding::warning(WHAT, said));
            findings.extend(files::folder(file));
            return findings;
        }
        findings.extend(files::sqlite(file));
    }
    match db::inspect(database).await {
        Ok(inspection) => {
            let milliseconds = inspection.answered.as_secs_f64() * 1000.0;
            let said = format!("{database} answers in {milliseconds:.1} ms");
            findings.push(Finding::ok(WHAT, said));
            match inspection.facts {
                Facts::Sqlite(facts) => findings.extend(sqlite(&facts)),
                Facts::Postgres(facts) => findings.extend(postgres(&facts)),
            }
            findings.push(migrations(known).await);
        }
        Err(sentence) => findings.push(Finding::fault(
            WHAT,
            format!("{sentence}; see that it runs and that DATABASE_URL is right"),
        )),
    }
    findings
}

async fn migrations(known: &Known) -> Finding {
    const WHAT: &str = "migrations";
    let by_serve = known.auto_migrate || matches!(known.database, Database::Sqlite(_));
    match migration::run(&known.database, &Command::Status).await {
        Ok(report) if report.pending == 0 => Finding::ok(WHAT, "all are applied"),
        Ok(report) if by_serve => Finding::warning(
            WHAT,
            format!("{} pending; `acclaim serve` applies them", report.pending),
        ),
        Ok(report) => Finding::fault(
            WHAT,
            format!("{} pending; run `acclaim migrate up`", report.pending),
        ),
        Err(error @ Error::Newer(_)) => Finding::fault(WHAT, error.to_string()),
        Err(error) => Finding::fault(WHAT, format!("they cannot be looked up: {error}")),
    }
}

fn sqlite(facts: &Sqlite) -> [Finding; 2] {
    let journal = if facts.wal {
        Finding::ok("WAL", "is on")
    } else {
        Finding::warning("WAL", "is off; `acclaim serve` turns it on")
    };
    let soundness = match facts.damage.first() {
        None => Finding::ok("quick_check", "found the file sound"),
        Some(first) => Finding::fault(
            "quick_check",
            format!(
                "found {} things or more, first: {first}; stop the service and restore a backup",
                facts.damage.len()
            ),
        ),
    };
    [journal, soundness]
}

fn postgres(facts: &Postgres) -> [Finding; 4] {
    let (major, minor) = (facts.version / 10_000, facts.version % 10_000);
    let shown = format!("PostgreSQL {major}.{minor}");
    let version = if major < OLDEST_POSTGRES {
        let said = format!("{shown} gets no fixes any more; upgrade to {OLDEST_POSTGRES} or newer");
        Finding::warning("version", said)
    } else {
        Finding::ok("version", shown)
    };
    let role = if facts.superuser {
        Finding::warning(
            "role",
            "is a superuser, who may do everything on the server; make one that owns this database alone: `CREATE ROLE acclaim LOGIN NOSUPERUSER`",
        )
    } else {
        Finding::ok("role", "is no superuser")
    };
    let transport = match (facts.encrypted, facts.local) {
        (true, _) => Finding::ok("TLS", "protects the connection to the database"),
        (false, true) => Finding::ok("TLS", "is off, and the database is on this machine"),
        (false, false) => Finding::warning(
            "TLS",
            "does not protect the connection to the database; append ?sslmode=verify-full to DATABASE_URL, or ?sslmode=require where its certificate is of its own making",
        ),
    };
    [version, role, transport, skew(facts.ahead)]
}

fn skew(ahead: f64) -> Finding {
    const WHAT: &str = "database's clock";
    let said = format!("differs from this machine's by {ahead:+.1} s");
    let remedy = "; set both by NTP";
    if ahead.abs() > GROSS_SKEW {
        Finding::fault(WHAT, said + remedy)
    } else if ahead.abs() > SKEW {
        Finding::warning(WHAT, said + remedy)
    } else {
        Finding::ok(WHAT, said)
    }
}
