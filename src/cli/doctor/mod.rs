//! `acclaim doctor`: checks the installation and changes nothing.

mod database;
mod files;
mod settings;

use std::{
    fmt,
    io::{self, Write},
};

use time::OffsetDateTime;

/// The year of the first migration. A clock with an earlier year is wrong.
const FIRST_YEAR: i32 = 2026;

/// The result of one check. The message states the remedy if one is needed, and never a secret.
struct Finding {
    level: Level,
    subject: &'static str,
    message: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// The service runs, but the operator should review this.
    Warning,
    /// The service does not start, or does not run safely.
    Fault,
}

impl Finding {
    fn new(level: Level, subject: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            level,
            subject,
            message,
        }
    }

    fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Ok, subject, message)
    }

    fn warning(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, subject, message)
    }

    fn fault(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Fault, subject, message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Fault => "fault",
        };
        write!(f, "{level:<7} {}: {}", self.subject, self.message)
    }
}

/// Prints one line per check. The exit code is 1 if any finding is a fault.
pub(super) async fn run() -> Result<u8, String> {
    let (mut findings, database_settings) = settings::check();
    findings.extend(files::dotenv());
    findings.extend(files::secrets());
    findings.push(clock());
    findings.push(files::limit());
    if let Some(settings) = database_settings {
        findings.extend(database::check(&settings).await);
    }
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")
            .map_err(|error| format!("the findings cannot be printed: {error}"))?;
    }
    let has_fault = findings.iter().any(|finding| finding.level == Level::Fault);
    Ok(u8::from(has_fault))
}

fn clock() -> Finding {
    let now = OffsetDateTime::now_utc();
    let message = format!("shows {} UTC", now.date());
    if now.year() < FIRST_YEAR {
        return Finding::fault(
            "clock",
            format!("{message}, which is in the past; synchronise it with NTP"),
        );
    }
    Finding::ok("clock", message)
}
