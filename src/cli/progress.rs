//! Shows how far a command is: by a bar on a terminal, by lines elsewhere.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{
    HumanBytes, HumanCount, HumanFloatCount, ProgressBar, ProgressState, ProgressStyle,
};

use crate::services::archive::{Progress, Summary};

/// Time between two lines.
const PERIOD: Duration = Duration::from_secs(5);
const STYLE: &str =
    "{msg} {bar:30} {percent}%, {human_pos} of {human_len} rows, {rate} rows/s, {eta} left";

/// Prints on standard error, because the standard output may be the file.
pub(super) struct Report {
    /// `exported` or `imported`.
    verb: &'static str,
    /// `None` if the standard error is not a terminal.
    bar: Option<ProgressBar>,
    rows: u64,
    done: u64,
    began: Instant,
    printed: Instant,
}

impl Report {
    pub(super) fn new(verb: &'static str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(STYLE);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::no_length().with_message(verb);
            bar.with_style(style.with_key("rate", write_rate))
        });
        let now = Instant::now();
        Self {
            verb,
            bar,
            rows: 0,
            done: 0,
            began: now,
            printed: now,
        }
    }

    /// Removes the bar and prints the result.
    pub(super) fn end(self, summary: Summary) {
        self.clear();
        let took = self.began.elapsed();
        eprintln!(
            "{} {} rows ({}) in {:.1} s, {} rows/s",
            self.verb,
            HumanCount(summary.rows),
            HumanBytes(summary.bytes),
            took.as_secs_f64(),
            HumanCount(rate(summary.rows, took)),
        );
    }

    /// Removes the bar before an error.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let rate = rate(self.done, elapsed);
        let left = self.rows.saturating_sub(self.done) / rate.max(1);
        format!(
            "{} {} of {} rows, {} rows/s, {left} s left",
            self.verb,
            HumanCount(self.done),
            HumanCount(self.rows),
            HumanCount(rate),
        )
    }
}

impl Progress for Report {
    fn begin(&mut self, rows: u64) {
        self.rows = rows;
        self.began = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_length(rows);
            bar.reset();
        }
    }

    fn advance(&mut self, rows: u64) {
        self.done += rows;
        if let Some(bar) = &self.bar {
            bar.inc(rows);
        } else if self.printed.elapsed() >= PERIOD {
            self.printed = Instant::now();
            eprintln!("{}", self.line(self.began.elapsed()));
        }
    }
}

fn write_rate(state: &ProgressState, text: &mut dyn Write) {
    let _ = write!(text, "{}", HumanFloatCount(state.per_sec().round()));
}

/// Rows in a second, rounded down.
fn rate(rows: u64, elapsed: Duration) -> u64 {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    rows.saturating_mul(1_000) / milliseconds.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_rate_and_the_time_left() {
        let mut report = Report::new("exported");
        report.begin(1_100_000);
        report.advance(200_000);
        let line = report.line(Duration::from_secs(4));
        let expected = "exported 200,000 of 1,100,000 rows, 50,000 rows/s, 18 s left";
        assert_eq!(line, expected);
    }
}
