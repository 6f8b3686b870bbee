//! How the last calls of each version ended, over all processes of the node.

use std::io;
use std::path::PathBuf;

use crate::config::Paths;
use crate::sys::{EventLog, LAST_EVENTS};
use crate::volume::DriverName;

/// How a call of a guest ended, as far as the version is answerable for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// With an answer, an error of the backend or of a worker among them.
    Answered,
    /// The guest broke down, or said that it has a bug.
    BrokeDown,
    /// Its answer, which was counted when it came, cannot be used.
    WrongAnswer,
}

impl CallEnd {
    pub(super) fn event(self) -> u8 {
        match self {
            Self::Answered => b'.',
            Self::BrokeDown => b'x',
            Self::WrongAnswer => b'w',
        }
    }
}

/// No call: somebody was told that nothing is done about the calls that break down.
pub(super) const TOLD: u8 = b'!';

/// More calls than that are never asked for: no more are kept.
pub(super) const MOST_CALLS: usize = LAST_EVENTS / 2;

/// Calls, and those of them that broke down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CallCounts {
    pub(super) calls: usize,
    pub(super) failures: usize,
}

impl CallCounts {
    pub(super) fn of(events: &[u8]) -> Self {
        let count = |counted: &[u8]| events.iter().filter(|it| counted.contains(it)).count();
        Self {
            calls: count(b".x"),
            failures: count(b"xw"),
        }
    }

    /// The last calls of a version, no more than so many.
    pub(super) fn of_last(events: &[u8], calls: usize) -> Self {
        let calls_at = |(at, event): (usize, &u8)| b".x".contains(event).then_some(at);
        let starts = events.iter().enumerate().rev().filter_map(calls_at);
        let from = starts.take(calls).last();
        from.map_or_else(Self::default, |from| Self::of(&events[from..]))
    }

    /// Whether at least that share of them broke down.
    pub(super) fn has_failed(self, percent: u32) -> bool {
        let percent = usize::try_from(percent).unwrap_or(usize::MAX);
        self.calls > 0 && self.failures.saturating_mul(100) >= self.calls.saturating_mul(percent)
    }
}

/// Where the calls of a version are counted.
pub(super) fn file(paths: &Paths, driver: &DriverName, sha256: &str) -> PathBuf {
    paths.calls().join(&driver.0).join(sha256)
}

/// For a version that serves from now on.
pub(super) fn begin_anew(paths: &Paths, driver: &DriverName, sha256: &str) -> io::Result<()> {
    EventLog::begin_anew(&file(paths, driver, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: usize, failures: usize) -> CallCounts {
        CallCounts { calls, failures }
    }

    #[test]
    fn a_wrong_answer_is_a_failure_and_no_second_call() {
        assert_eq!(CallCounts::of(b""), counts(0, 0));
        assert_eq!(CallCounts::of(b"..x.w!"), counts(4, 2));
        assert_eq!(CallCounts::of(b".w.w"), counts(2, 2));
    }

    #[test]
    fn only_the_last_calls_count_where_few_are_asked_for() {
        assert_eq!(CallCounts::of_last(b"xxxx.w!..", 3), counts(3, 1));
        assert_eq!(CallCounts::of_last(b"xxxx.w!..", 2), counts(2, 0));
        assert_eq!(CallCounts::of_last(b"x.", 20), counts(2, 1));
        assert_eq!(CallCounts::of_last(b"x.", 0), counts(0, 0));
        assert_eq!(CallCounts::of_last(b"", 20), counts(0, 0));
    }

    #[test]
    fn a_share_is_reached_exactly_and_never_without_calls() {
        assert!(counts(20, 10).has_failed(50) && !counts(20, 9).has_failed(50));
        assert!(counts(3, 3).has_failed(100) && !counts(3, 2).has_failed(100));
        assert!(!counts(0, 0).has_failed(1));
    }
}
