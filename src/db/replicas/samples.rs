//! Positions of the primary over time. They tell how old the state of a replica is, without comparing
//! clocks, and also if nothing is written.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::Position;

/// The newest positions of the primary, oldest first. They do not fall.
#[derive(Debug, Default)]
pub(super) struct Samples(VecDeque<Sample>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// The time before the primary was asked.
    at: Instant,
    position: Position,
}

/// Maximum number of samples.
const MAX: usize = 128;
/// Minimum time between two samples, except the newest. So they go back at least 12 s.
const SPACING: Duration = Duration::from_millis(100);

impl Samples {
    pub(super) fn add(&mut self, at: Instant, position: Position) {
        if self.0.back().is_some_and(|last| position < last.position) {
            // Another server is the primary now, and its log has a history of its own.
            self.0.clear();
        }
        if let [.., previous, last] = self.0.make_contiguous()
            && last.at.duration_since(previous.at) < SPACING
        {
            self.0.pop_back();
        }
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back(Sample { at, position });
    }

    pub(super) fn newest(&self) -> Option<Position> {
        self.0.back().map(|sample| sample.position)
    }

    /// The time that the samples cover.
    pub(super) fn covered(&self) -> Duration {
        let oldest = self.0.front();
        oldest.map_or(Duration::ZERO, |sample| sample.at.elapsed())
    }

    /// The greatest age that the state at `position` can have; `None` if it is older than all samples.
    pub(super) fn max_age(&self, position: Position) -> Option<Duration> {
        let mut newest_first = self.0.iter().rev();
        let shown = newest_first.find(|sample| sample.position <= position);
        shown.map(|sample| sample.at.elapsed())
    }

    /// The least time for which the primary has been at or beyond `position`.
    pub(super) fn since(&self, position: Position) -> Duration {
        let reached = self.0.iter().find(|sample| sample.position >= position);
        reached.map_or(Duration::ZERO, |sample| sample.at.elapsed())
    }

    /// The least age that the state at `position` can have.
    pub(super) fn min_age(&self, position: Position) -> Duration {
        let beyond = self.0.iter().find(|sample| sample.position > position);
        beyond.map_or(Duration::ZERO, |sample| sample.at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn the_age_of_a_state_is_that_of_the_newest_sample_that_it_contains() {
        let mut samples = Samples::default();
        let position = Position::from_number;
        assert_eq!(samples.max_age(position(1)), None);
        for number in [10, 20, 20] {
            samples.add(Instant::now(), position(number));
            advance(STEP).await;
        }
        let ages = |number| {
            let position = position(number);
            (samples.max_age(position), samples.min_age(position))
        };
        assert_eq!(ages(9), (None, STEP * 3));
        assert_eq!(ages(10), (Some(STEP * 3), STEP * 2));
        // Nothing was written since, so the state is not old.
        assert_eq!(ages(20), (Some(STEP), Duration::ZERO));
        assert_eq!(samples.since(position(15)), STEP * 2);
        assert_eq!(samples.since(position(21)), Duration::ZERO);
        // A new primary with a shorter log.
        samples.add(Instant::now(), position(15));
        assert_eq!(samples.max_age(position(14)), None);
        assert_eq!(samples.newest(), Some(position(15)));
    }
}
