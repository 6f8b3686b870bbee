//! When something is tried again: after a second, then after twice as long, up to a minute.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses that double until something succeeds.
#[derive(Debug)]
pub(super) struct Backoff {
    pause: Duration,
    due: Option<Instant>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: FIRST,
            due: None,
        }
    }
}

impl Backoff {
    /// How long to wait now; the next time it is twice as long.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause
    }

    /// The pause that begins now, where none is under way.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Duration> {
        if self.due.is_some() {
            return None;
        }
        let pause = self.next_pause();
        self.due = Some(now + pause);
        Some(pause)
    }

    /// Whether the pause that was begun is over, and with it gone.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// It succeeded.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_second_to_a_minute_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..8).map(|_| backoff.next_pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), FIRST);
    }

    #[test]
    fn a_pause_is_begun_once_and_is_over_once() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        assert!(!backoff.is_over(now), "none was begun");
        assert_eq!(backoff.begin(now), Some(FIRST));
        assert_eq!(backoff.begin(now + FIRST), None, "it is under way");
        assert!(!backoff.is_over(now));
        assert!(backoff.is_over(now + FIRST));
        assert!(!backoff.is_over(now + FIRST), "it was over before");
        assert_eq!(backoff.begin(now + FIRST), Some(2 * FIRST));
    }
}
