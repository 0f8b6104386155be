//! The positions of the latest writes, by writer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Position;

/// Time for which a writer reads its own writes. Longer than a replica in the rotation can be behind.
const REMEMBERED: Duration = Duration::from_secs(10);
/// The table has a fixed size of about 1.5 MiB. Writers with the same place share it: each then waits for the
/// writes of the others too.
const PLACES: usize = 1 << 15;

/// Remembers the newest position that each writer must see.
pub(super) struct Writers(Box<[Mutex<Writes>]>);

/// The latest writes of one place.
#[derive(Clone, Copy, Default)]
struct Writes {
    newest: Option<(Instant, Position)>,
    /// The time of a write whose position is unknown.
    unknown: Option<Instant>,
}

impl Default for Writers {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Mutex::default()).collect())
    }
}

impl Writers {
    /// Notes that `writer` must see `position` from now on. If it is `None`, only the primary is sure to show
    /// the write.
    pub(super) fn note(&self, writer: i64, position: Option<Position>) {
        let Some(place) = self.place(writer) else {
            return;
        };
        let mut latest = place.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match position {
            Some(position) => {
                let before = latest.newest_position().unwrap_or_default();
                latest.newest = Some((now, position.max(before)));
            }
            None => latest.unknown = Some(now),
        }
    }

    /// The position that `writer` must see; `None` if it has not written lately.
    pub(super) fn position(&self, writer: i64) -> Option<Position> {
        let latest = self.place(writer)?.lock();
        let latest = latest.unwrap_or_else(PoisonError::into_inner);
        if latest.unknown.is_some_and(is_recent) {
            return Some(Position::MAX);
        }
        latest.newest_position()
    }

    fn place(&self, writer: i64) -> Option<&Mutex<Writes>> {
        let index = usize::try_from(writer.unsigned_abs() % (PLACES as u64)).ok()?;
        self.0.get(index)
    }
}

impl Writes {
    fn newest_position(&self) -> Option<Position> {
        let newest = self.newest.filter(|(at, _)| is_recent(*at));
        newest.map(|(_, position)| position)
    }
}

fn is_recent(at: Instant) -> bool {
    at.elapsed() < REMEMBERED
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_newest_position_of_a_writer_is_remembered_for_ten_seconds() {
        let writers = Writers::default();
        let position = |number| Some(Position::from_number(number));
        writers.note(1, position(5));
        writers.note(1, position(3));
        assert_eq!(writers.position(1), position(5));
        assert_eq!(writers.position(2), None);
        advance(REMEMBERED / 2).await;
        writers.note(1 + i64::try_from(PLACES).unwrap(), position(7));
        advance(REMEMBERED / 2).await;
        assert_eq!(writers.position(1), position(7));
        advance(REMEMBERED / 2).await;
        assert_eq!(writers.position(1), None);
        // After a failover positions can be smaller.
        writers.note(1, position(2));
        assert_eq!(writers.position(1), position(2));
        writers.note(1, None);
        writers.note(1, position(9));
        assert_eq!(writers.position(1), Some(Position::MAX));
        advance(REMEMBERED).await;
        assert_eq!(writers.position(1), None);
    }
}
