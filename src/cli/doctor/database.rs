//! Checks the database: connection, migrations, integrity and configuration.

use migration::{Command, Database, Error, Report, Rights, Session};

use super::{Finding, files, settings::DatabaseSettings};
use crate::db::{self, Db, Facts, Postgres, Sqlite};

const SUBJECT: &str = "database";
/// The oldest supported major version of PostgreSQL. Support for 14 ended in November 2026.
const MIN_POSTGRES: i32 = 15;
/// Tolerated difference between the two clocks, in seconds.
const MAX_SKEW: f64 = 5.0;
/// Difference between the two clocks, in seconds, beyond which token lifetimes are wrong.
const FAULT_SKEW: f64 = 60.0;

pub(super) async fn check(settings: &DatabaseSettings) -> Vec<Finding> {
    let database = &settings.database;
    let mut findings = Vec::new();
    if let Database::Sqlite(options) = database {
        let file = options.get_filename();
        if !file.exists() {
            let message = format!("{database} does not exist yet; `acclaim serve` creates it");
            findings.push(Finding::warning(SUBJECT, message));
            findings.extend(files::folder(file));
            return findings;
        }
        findings.extend(files::sqlite(file));
    }
    let status = migration::run(database, &Command::Status).await;
    match (&status, database) {
        (Err(Error::Unsupported(reason)), _) => {
            findings.push(Finding::fault(SUBJECT, reason.as_str()));
            return findings;
        }
        // It would be the answer to every further connection, each after its time-out.
        (Err(Error::Connect(error)), Database::Postgres(_)) => {
            findings.push(unreachable(error));
            return findings;
        }
        _ => {}
    }
    match db::inspect(database).await {
        Ok(inspection) => {
            let milliseconds = inspection.answered.as_secs_f64() * 1000.0;
            let message = format!("{database} answers in {milliseconds:.1} ms");
            findings.push(Finding::ok(SUBJECT, message));
            match inspection.facts {
                Facts::Sqlite(facts) => findings.extend(sqlite(&facts)),
                Facts::Postgres(facts) => {
                    findings.extend(postgres(&facts));
                    if status.as_ref().is_ok_and(|status| status.pending == 0) {
                        findings.push(role(migration::rights_to_serve(database).await));
                    }
                    let wanted = settings.connections;
                    findings.extend(wanted.map(|wanted| connections(wanted, facts.connections)));
                }
            }
            findings.push(migrations(settings, status));
            findings.extend(replicas(settings).await);
        }
        Err(error) => findings.push(unreachable(&error)),
    }
    findings
}

/// Compares the replicas with the primary. The service works without them.
async fn replicas(settings: &DatabaseSettings) -> Vec<Finding> {
    const SUBJECT: &str = "replica";
    if settings.replicas.is_empty() {
        return Vec::new();
    }
    let db = match Db::open(&settings.database).await {
        Ok(db) => db.with_replicas(&settings.replicas),
        Err(error) => return vec![unreachable(&error)],
    };
    let checked = db.check_replicas().await.into_iter();
    let findings = checked.map(|(name, outcome)| match outcome {
        Ok(lag) => {
            let lag = lag.as_secs_f64();
            let message = format!("{name} follows the primary, and is at most {lag:.1} s behind");
            Finding::ok(SUBJECT, message)
        }
        Err(reason) => Finding::warning(SUBJECT, format!("{name} will answer no reads: {reason}")),
    });
    let findings = findings.collect();
    db.disconnect().await;
    findings
}

fn unreachable(error: &str) -> Finding {
    let message = format!("{error}; check that it is running and that DATABASE_URL is correct");
    Finding::fault(SUBJECT, message)
}

fn migrations(settings: &DatabaseSettings, status: Result<Report, Error>) -> Finding {
    const SUBJECT: &str = "migrations";
    let serve_migrates = settings.auto_migrate || matches!(settings.database, Database::Sqlite(_));
    match status {
        Ok(report) if report.pending == 0 => Finding::ok(SUBJECT, "all are applied"),
        Ok(report) if serve_migrates => Finding::warning(
            SUBJECT,
            format!("{} pending; `acclaim serve` applies them", report.pending),
        ),
        Ok(report) => Finding::fault(
            SUBJECT,
            format!("{} pending; run `acclaim migrate up`", report.pending),
        ),
        Err(error @ Error::Newer(_)) => Finding::fault(SUBJECT, error.to_string()),
        Err(error) => Finding::fault(SUBJECT, format!("the status is unknown: {error}")),
    }
}

fn sqlite(facts: &Sqlite) -> [Finding; 2] {
    let journal = if facts.wal {
        Finding::ok("WAL", "is on")
    } else {
        Finding::warning("WAL", "is off; `acclaim serve` enables it")
    };
    let integrity = match facts.damage.first() {
        None => Finding::ok("quick_check", "found no errors"),
        Some(first) => Finding::fault(
            "quick_check",
            format!(
                "found at least {} errors, the first: {first}; stop the service and restore a backup",
                facts.damage.len()
            ),
        ),
    };
    [journal, integrity]
}

fn postgres(facts: &Postgres) -> Vec<Finding> {
    let (major, minor) = (facts.version / 10_000, facts.version % 10_000);
    let shown = format!("PostgreSQL {major}.{minor}");
    let version = if major < MIN_POSTGRES {
        let message = format!("{shown} is no longer supported; upgrade to {MIN_POSTGRES} or newer");
        Finding::warning("version", message)
    } else {
        Finding::ok("version", shown)
    };
    let mut findings = vec![version, tls(facts), clock_skew(facts.ahead)];
    findings.extend(pooler(facts));
    findings.extend(facts.may_be_standby.then(|| {
        Finding::warning(
            "hosts",
            "may be standbys, which accept no writes; append ?target_session_attrs=read-write to DATABASE_URL",
        )
    }));
    findings
}

fn pooler(facts: &Postgres) -> Option<Finding> {
    const SUBJECT: &str = "pooler";
    let Session::Pooled { prepares } = facts.session else {
        return None;
    };
    Some(if !prepares {
        Finding::warning(
            SUBJECT,
            "keeps no prepared statements, so each statement takes four round trips; use PgBouncer 1.21 or newer with max_prepared_statements",
        )
    } else if facts.has_limits {
        Finding::ok(SUBJECT, "keeps prepared statements")
    } else {
        Finding::warning(
            SUBJECT,
            "drops the time limits of statements; set them for the role: `ALTER ROLE … SET statement_timeout = '10s'` and `ALTER ROLE … SET client_connection_check_interval = '800ms'`",
        )
    })
}

fn role(rights: Result<Rights, Error>) -> Finding {
    const SUBJECT: &str = "role";
    const REMEDY: &str =
        "run `acclaim migrate grants --serve ROLE --apply` as the owner of the tables";
    let rights = match rights {
        Ok(rights) => rights,
        Err(error) => return Finding::fault(SUBJECT, format!("is not known: {error}")),
    };
    match rights.problem() {
        None => Finding::ok(
            SUBJECT,
            "reads and writes rows, and cannot change the schema",
        ),
        Some(problem) if !rights.lacking.is_empty() => {
            Finding::fault(SUBJECT, format!("{problem}; {REMEDY}"))
        }
        Some(problem) => Finding::warning(
            SUBJECT,
            format!("{problem}; let another role serve: {REMEDY}"),
        ),
    }
}

fn tls(facts: &Postgres) -> Finding {
    match (facts.encrypted, facts.local) {
        (true, _) => Finding::ok("TLS", "is on"),
        (false, true) => Finding::ok("TLS", "is off, but the database is on this machine"),
        (false, false) => Finding::warning(
            "TLS",
            "is off, and the database is on another machine; append ?sslmode=verify-full to DATABASE_URL, or ?sslmode=require for a self-signed certificate",
        ),
    }
}

/// Compares `DATABASE_CONNECTIONS` with the connections that the server offers.
fn connections(wanted: usize, offered: i32) -> Finding {
    const SUBJECT: &str = "connections";
    let offered = usize::try_from(offered).unwrap_or_default();
    let message = format!(
        "DATABASE_CONNECTIONS is {wanted}, and PostgreSQL offers {offered} to all programs together"
    );
    match offered / wanted.max(1) {
        0 => Finding::fault(
            SUBJECT,
            format!("{message}; lower DATABASE_CONNECTIONS or raise max_connections"),
        ),
        1 => Finding::warning(
            SUBJECT,
            format!(
                "{message}: enough for 1 server, and a replacement of a running server needs 2; lower DATABASE_CONNECTIONS or raise max_connections"
            ),
        ),
        servers => Finding::ok(SUBJECT, format!("{message}: enough for {servers} servers")),
    }
}

fn clock_skew(ahead: f64) -> Finding {
    const SUBJECT: &str = "database's clock";
    let message = format!("differs from this machine's clock by {ahead:+.1} s");
    let remedy = "; synchronise both with NTP";
    if ahead.abs() > FAULT_SKEW {
        Finding::fault(SUBJECT, message + remedy)
    } else if ahead.abs() > MAX_SKEW {
        Finding::warning(SUBJECT, message + remedy)
    } else {
        Finding::ok(SUBJECT, message)
    }
}
