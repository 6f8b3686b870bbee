//! What a process remembers beside the API server's objects: when to try again, and what it has just done, which its caches
//! may not show yet. All of it may be lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::verdict::{LONGEST, Retry};

/// How long after its last use anything is remembered: longer than any wait.
const REMEMBERED: Duration = Duration::from_secs(1800);

/// Until a cache shows what was written.
const SETTLING: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
struct Entry {
    failures: u32,
    until: Instant,
}

/// By the UIDs of objects.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<String, Entry>>);

impl Memory {
    /// One more failure; how long to wait now.
    pub(crate) fn failed(&self, uid: &str, retry: Retry) -> Duration {
        let now = Instant::now();
        let mut entries = self.entries_at(now);
        let failures = entries.get(uid).map_or(0, |entry| entry.failures) + 1;
        let wait = retry.after(failures);
        let until = now + wait;
        entries.insert(uid.to_owned(), Entry { failures, until });
        wait
    }

    /// What an object needs was written; it is let alone until caches show that.
    pub(crate) fn written(&self, uid: &str, shown_within: Duration) {
        let until = Instant::now() + shown_within;
        let mut entries = self.entries_at(Instant::now());
        let failures = entries.get(uid).map_or(0, |entry| entry.failures);
        entries.insert(uid.to_owned(), Entry { failures, until });
    }

    /// All went well; the object is let alone until caches show it.
    pub(crate) fn settled(&self, uid: &str) {
        self.settled_at(uid, Instant::now());
    }

    fn settled_at(&self, uid: &str, now: Instant) {
        let entry = Entry {
            failures: 0,
            until: now + SETTLING,
        };
        self.entries_at(now).insert(uid.to_owned(), entry);
    }

    /// How long an object is still let alone.
    pub(crate) fn wait(&self, uid: &str) -> Option<Duration> {
        let until = self.entries().get(uid)?.until;
        let left = until.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left.min(LONGEST))
    }

    /// Those that still count. Whatever adds one forgets others.
    fn entries_at(&self, now: Instant) -> MutexGuard<'_, HashMap<String, Entry>> {
        let mut entries = self.entries();
        entries.retain(|_, entry| now < entry.until + REMEMBERED);
        entries
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_well_long_ago_is_forgotten_also_where_nothing_ever_fails() {
        let (memory, now) = (Memory::default(), Instant::now());
        for day in 0..3 {
            let later = now + Duration::from_secs(86_400 * day);
            memory.settled_at(&format!("claim-{day}"), later);
        }
        let known: Vec<String> = memory.entries().keys().cloned().collect();
        assert_eq!(known, ["claim-2"]);
    }

    #[test]
    fn failures_add_up_until_all_went_well() {
        let memory = Memory::default();
        assert_eq!(memory.wait("a"), None);
        assert_eq!(memory.failed("a", Retry::Soon).as_secs(), 1);
        assert_eq!(memory.failed("a", Retry::Soon).as_secs(), 2);
        assert!(
            memory
                .wait("a")
                .is_some_and(|wait| wait <= Duration::from_secs(2))
        );
        memory.written("a", Duration::from_secs(1));
        assert_eq!(memory.failed("a", Retry::Soon).as_secs(), 4);
        memory.settled("a");
        assert_eq!(memory.failed("a", Retry::Soon).as_secs(), 1);
        assert_eq!(memory.wait("b"), None);
    }
}
