//! When a delivery is tried again.

use std::time::Duration;

/// The pauses between the attempts of a delivery, before jitter: 10 attempts in 3 days.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(20),
    Duration::from_hours(30),
];
/// An endpoint that has failed so often in a row is left alone for a while, with all its deliveries.
const FAILURES_BEFORE_PAUSE: usize = 3;
/// The pauses of such an endpoint grow like those of a delivery, up to this one: 2 hours.
const MAX_PAUSE_INDEX: usize = 4;
/// Upper bound of an endpoint's own `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The pause after `attempts` failed attempts of a delivery; `None` if that was the last one.
pub(super) fn pause(attempts: i64, retry_after: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let pause = with_jitter(*PAUSES.get(index)?);
    Some(pause.max(bounded(retry_after)))
}

/// The pause of an endpoint after `failures` failed attempts in a row; `None` if it needs none.
pub(super) fn pause_of_endpoint(failures: i64, retry_after: Option<Duration>) -> Option<Duration> {
    let asked = bounded(retry_after);
    let failures = usize::try_from(failures).unwrap_or(usize::MAX);
    let pause = failures
        .checked_sub(FAILURES_BEFORE_PAUSE)
        .and_then(|index| {
            let pause = PAUSES.get(index.min(MAX_PAUSE_INDEX)).copied();
            pause.map(with_jitter)
        });
    match pause {
        Some(pause) => Some(pause.max(asked)),
        None => (asked > Duration::ZERO).then_some(asked),
    }
}

fn bounded(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)
}

/// Up to a fifth more, so that the deliveries of an outage do not return together.
fn with_jitter(pause: Duration) -> Duration {
    let jitter = rand::random_range(Duration::ZERO..=pause / 5);
    // Times in the database have no nanoseconds.
    pause
        + Duration::from_secs(jitter.as_secs())
        + Duration::from_millis(jitter.subsec_millis().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{pause, pause_of_endpoint};

    #[test]
    fn ten_attempts_take_three_days() {
        let pauses: Vec<_> = (1..).map_while(|attempts| pause(attempts, None)).collect();
        assert_eq!(pauses.len(), 9);
        let total: Duration = pauses.iter().sum();
        let hours = total.as_secs() / 3600;
        assert!((70..=86).contains(&hours), "{hours}");
    }

    #[test]
    fn an_endpoint_can_ask_for_a_longer_pause_but_not_for_a_shorter_one() {
        let hour = Duration::from_hours(1);
        assert_eq!(pause(1, Some(hour)), Some(hour));
        assert!(pause(5, Some(hour)) > Some(hour));
        let week = Duration::from_hours(168);
        assert_eq!(pause(1, Some(week)), Some(Duration::from_hours(24)));
        assert_eq!(pause(10, Some(hour)), None);
    }

    #[test]
    fn an_endpoint_is_left_alone_from_the_third_failure_on() {
        assert_eq!(pause_of_endpoint(2, None), None);
        let first = pause_of_endpoint(3, None).unwrap();
        assert!((5..=6).contains(&first.as_secs()), "{first:?}");
        assert!(pause_of_endpoint(1000, None) <= Some(Duration::from_mins(144)));
        let minute = Duration::from_mins(1);
        assert_eq!(pause_of_endpoint(1, Some(minute)), Some(minute));
    }
}
