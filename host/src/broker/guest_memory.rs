//! Memory of all guests of one driver in this process: lent to calls as they grow, given back at their end.
//!
//! Whoever gets none waits for others, never they for each other: memory is lent only as long as each call that runs
//! could still come to what it is expected to want, one call after the other (the banker's algorithm). Expected is what
//! the hungriest call of the driver came to want so far: calls that all grew beyond it at once, and waited for each other
//! in vain, do so a single time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the guests of one driver may have at once; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct GuestMemory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total_bytes: usize,
    loans: Mutex<Loans>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct Loans {
    next: u64,
    /// What the hungriest call so far wanted, in bytes.
    expected: usize,
    running: BTreeMap<u64, Loan>,
}

/// Of one call, in bytes.
#[derive(Debug, Clone, Copy)]
struct Loan {
    taken: usize,
    /// What it is expected to want in all; never less than what it has.
    expected: usize,
}

/// What one call has, above the line for its guest and below it for answers; clones share it, and the last of them gives
/// it back.
#[derive(Debug, Clone)]
pub(crate) struct CallMemory(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    shared: Arc<Shared>,
    id: u64,
    /// For what the host keeps of the call's outside its linear memory.
    buffer_bytes: usize,
    /// How long it waited for others.
    waited: Duration,
}

/// Why a call got no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) struct NoMemory {
    wanted_bytes: usize,
    total_bytes: usize,
    others: usize,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted_bytes,
            total_bytes,
            others,
        } = self;
        let kib = |bytes: &usize| bytes.div_ceil(1 << 10);
        write!(
            f,
            "it wanted {} KiB more than were free of the {} KiB that all guests of the driver have in this process \
             (drivebay serve --guest-memory); {others} other calls ran",
            kib(wanted_bytes),
            kib(total_bytes)
        )
    }
}

impl GuestMemory {
    pub(crate) fn of_bytes(total_bytes: usize) -> Self {
        Self(Arc::new(Shared {
            total_bytes,
            loans: Mutex::default(),
            given_back: Condvar::new(),
        }))
    }

    /// For a process that makes one call and ends.
    pub(crate) fn without_bound() -> Self {
        Self::of_bytes(usize::MAX)
    }

    /// A call that has nothing yet.
    pub(crate) fn call(&self) -> CallMemory {
        let shared = Arc::clone(&self.0);
        let id = shared.lock().begin();
        CallMemory(Arc::new(Mutex::new(Taken {
            shared,
            id,
            buffer_bytes: 0,
            waited: Duration::ZERO,
        })))
    }
}

impl Shared {
    /// A panic elsewhere leaves the loans as they were.
    fn lock(&self) -> MutexGuard<'_, Loans> {
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loans {
    fn begin(&mut self) -> u64 {
        self.next += 1;
        let loan = Loan {
            taken: 0,
            expected: self.expected,
        };
        self.running.insert(self.next, loan);
        self.next
    }

    /// Whether every call could come to what it wants, one after the other, the most modest first.
    fn is_safe(&self, total_bytes: usize) -> bool {
        let mut taken = self.running.values().map(|loan| loan.taken);
        let Some(mut free) = taken.try_fold(total_bytes, usize::checked_sub) else {
            return false;
        };
        let mut loans: Vec<&Loan> = self.running.values().collect();
        loans.sort_by_key(|loan| loan.expected - loan.taken);
        loans.into_iter().all(|loan| {
            let is_met = loan.expected - loan.taken <= free;
            free += loan.taken;
            is_met
        })
    }

    /// Lends so much more, if nobody would have to wait for ever then.
    fn lend(&mut self, id: u64, bytes: usize, total_bytes: usize) -> bool {
        let Some(before) = self.running.get(&id).copied() else {
            return false;
        };
        let taken = before.taken.saturating_add(bytes);
        let expected = before.expected.max(taken);
        self.running.insert(id, Loan { taken, expected });
        let is_safe = self.is_safe(total_bytes);
        if !is_safe {
            self.running.insert(id, before);
        }
        is_safe
    }

    fn taken(&self, id: u64) -> usize {
        self.running.get(&id).map_or(0, |loan| loan.taken)
    }
}

impl CallMemory {
    /// Of a call that no driver makes, and no other one waits for.
    #[cfg(any(test, feature = "compiler"))]
    pub(crate) fn without_bound() -> Self {
        GuestMemory::without_bound().call()
    }

    /// Takes so much more, and waits for it until the deadline.
    ///
    /// # Errors
    /// [`NoMemory`] at the deadline; at once where the driver's guests never have so much.
    pub(crate) fn take(&self, bytes: usize, deadline: Instant) -> Result<(), NoMemory> {
        self.taken().take(bytes, deadline)
    }

    /// Takes what the host needs for an answer of that size at most. A call has one at a time, so that it pays for
    /// its largest.
    ///
    /// # Errors
    /// As for [`Self::take`].
    pub(crate) fn take_buffer(&self, bytes: usize, deadline: Instant) -> Result<(), NoMemory> {
        let mut taken = self.taken();
        let more = bytes.saturating_sub(taken.buffer_bytes);
        if more > 0 {
            taken.take(more, deadline)?;
            taken.buffer_bytes = bytes;
        }
        Ok(())
    }

    /// How long it waited for others.
    pub(crate) fn waited(&self) -> Duration {
        self.taken().waited
    }

    /// A call does one thing at a time, so nobody waits here.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take(&mut self, bytes: usize, deadline: Instant) -> Result<(), NoMemory> {
        let shared = Arc::clone(&self.shared);
        let mut loans = shared.lock();
        let taken = loans.taken(self.id).saturating_add(bytes);
        let refused = |loans: &Loans| NoMemory {
            wanted_bytes: bytes,
            total_bytes: shared.total_bytes,
            others: loans.running.len() - 1,
        };
        // Before it is expected of others too: they would run one by one from now on.
        if taken > shared.total_bytes {
            return Err(refused(&loans));
        }
        loans.expected = loans.expected.max(taken);
        let begun = Instant::now();
        while !loans.lend(self.id, bytes, shared.total_bytes) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.waited += begun.elapsed();
                return Err(refused(&loans));
            }
            let waited = shared.given_back.wait_timeout(loans, left);
            loans = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(loans);
        self.waited += begun.elapsed();
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.shared.lock().running.remove(&self.id);
        self.shared.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn at_once(call: &CallMemory, bytes: usize) -> bool {
        call.take(bytes, Instant::now()).is_ok()
    }

    #[test]
    fn no_more_is_lent_than_there_is_and_what_a_call_had_is_anothers_after_it() {
        let memory = GuestMemory::of_bytes(100);
        let (one, other) = (memory.call(), memory.call());
        assert!(at_once(&one, 60));
        assert!(!at_once(&other, 60));
        assert!(at_once(&other, 40));
        assert!(!at_once(&other, 1));
        drop(one);
        assert!(at_once(&other, 60));
    }

    #[test]
    fn a_call_waits_until_another_one_ends() {
        let memory = GuestMemory::of_bytes(100);
        let (one, other) = (memory.call(), memory.call());
        assert!(at_once(&one, 60));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| other.take(60, soon()));
            drop(one);
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        });
    }

    #[test]
    fn what_is_more_than_all_is_refused_at_once_and_says_so() {
        let memory = GuestMemory::of_bytes(100 << 10);
        let refused = memory.call().take(101 << 10, soon());
        let said = refused.expect_err("too much").to_string();
        assert!(said.contains("it wanted 101 KiB more"), "{said}");
        assert!(said.contains("of the 100 KiB"), "{said}");
    }

    #[test]
    fn calls_known_to_grow_are_not_begun_where_they_would_wait_for_each_other() {
        let memory = GuestMemory::of_bytes(100);
        let first = memory.call();
        assert!(at_once(&first, 70));
        drop(first);
        let (one, other) = (memory.call(), memory.call());
        assert!(at_once(&one, 40));
        // With 40 more taken neither could come to 70.
        assert!(!at_once(&other, 40));
        assert!(at_once(&other, 30));
        assert!(at_once(&one, 30));
    }

    #[test]
    fn a_wish_that_is_never_met_is_not_expected_of_others() {
        let memory = GuestMemory::of_bytes(100);
        let immodest = memory.call();
        assert!(!at_once(&immodest, 101));
        drop(immodest);
        let (one, other) = (memory.call(), memory.call());
        assert!(at_once(&one, 50));
        assert!(at_once(&other, 50));
    }

    #[test]
    fn a_call_pays_for_its_largest_answer_once() {
        let memory = GuestMemory::of_bytes(100);
        let call = memory.call();
        for bytes in [40, 60, 10, 60] {
            assert_eq!(call.take_buffer(bytes, Instant::now()), Ok(()));
        }
        assert_eq!(memory.0.lock().taken(call.taken().id), 60);
    }

    #[test]
    fn without_a_bound_nobody_waits() {
        let memory = GuestMemory::without_bound();
        let (one, other) = (memory.call(), memory.call());
        assert!(at_once(&one, 1 << 40));
        assert!(at_once(&other, 1 << 40));
    }
}
