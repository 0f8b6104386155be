//! Tells when many events come.

use std::time::Duration;

use entity::values::EventPosition;
use tokio::time::Instant;

/// Events a second that are a load.
const LOAD: u128 = 1_000;
/// Minimum time over which events are counted: writes come in batches. Callers look more often, or after a pause.
const WINDOW: Duration = Duration::from_secs(1);

/// The load of the event log.
#[derive(Default)]
pub(super) struct Load {
    /// The start of the window, and the end of the log at that time.
    since: Option<(Instant, EventPosition)>,
    is_high: bool,
}

impl Load {
    /// Notes that the log ends at `end` at the time `now`. Returns whether more than [`LOAD`] events a second came in
    /// the last whole window; false in the first one.
    pub fn observe(&mut self, now: Instant, end: EventPosition) -> bool {
        let (since, begin) = *self.since.get_or_insert((now, end));
        let time = now - since;
        if time >= WINDOW {
            // Negative if the log was replaced, as by a restored backup.
            let came = u128::try_from(end.get() - begin.get()).unwrap_or_default();
            self.is_high = came * 1_000 > LOAD * time.as_millis();
            self.since = Some((now, end));
        }
        self.is_high
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity::values::EventPosition;
    use tokio::time::Instant;

    use super::Load;

    #[test]
    fn many_events_a_second_are_a_load() {
        let (mut load, began) = (Load::default(), Instant::now());
        let mut observe = |millis, position| {
            let end = EventPosition::START.plus(position);
            load.observe(began + Duration::from_millis(millis), end)
        };
        // Nothing is known in the first second.
        assert!(!observe(0, 20_000));
        assert!(!observe(500, 22_000));
        assert!(observe(1_000, 22_000));
        // A window ends at the first look after a second.
        assert!(observe(1_900, 22_000));
        assert!(!observe(2_500, 23_500));
        assert!(observe(3_500, 24_501));
        // The log was replaced by an older one.
        assert!(!observe(4_500, 100));
    }
}
