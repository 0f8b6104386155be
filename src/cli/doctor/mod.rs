//! `acclaim doctor`

mod database;
mod files;
mod settings;

use std::{
    fmt,
    io::{self, Write},
};

use time::OffsetDateTime;

/// The year of the first migration: a clock that shows an earlier one is wrong.
const FIRST_YEAR: i32 = 2026;

/// How one thing is; the sentence has the remedy where one is needed, and never a secret.
struct Finding {
    level: Level,
    what: &'static str,
    said: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// The service runs; whether it should is for the operator to judge.
    Warning,
    /// The service does not run, or not safely.
    Fault,
}

impl Finding {
    fn new(level: Level, what: &'static str, said: impl Into<String>) -> Self {
        let said = said.into();
        Self { level, what, said }
    }

    fn ok(what: &'static str, said: impl Into<String>) -> Self {
        Self::new(Level::Ok, what, said)
    }

    fn warning(what: &'static str, said: impl Into<String>) -> Self {
        Self::new(Level::Warning, what, said)
    }

    fn fault(what: &'static str, said: impl Into<String>) -> Self {
        Self::new(Level::Fault, what, said)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Fault => "fault",
        };
        write!(f, "{level:<7} {}: {}", self.what, self.said)
    }
}

/// Prints one line a check. The exit status is 1 when one is a fault.
pub(super) async fn run() -> Result<u8, String> {
    let (mut findings, known) = settings::check();
    findings.extend(files::dotenv());
    findings.extend(files::keys());
    findings.push(clock());
    findings.push(files::limit());
    if let Some(known) = known {
        findings.extend(database::check(&known).await);
    }
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")
            .map_err(|error| format!("the findings cannot be printed: {error}"))?;
    }
    let faulty = findings.iter().any(|one| one.level == Level::Fault);
    Ok(u8::from(faulty))
}

fn clock() -> Finding {
    let now = OffsetDateTime::now_utc();
    let said = format!("this machine's says {} in UTC", now.date());
    if now.year() < FIRST_YEAR {
        return Finding::fault(
            "clock",
            format!("{said}, which is long past; set it by NTP"),
        );
    }
    Finding::ok("clock", said)
}
