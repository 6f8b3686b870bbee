//! Patience: how long to wait before a backend is asked again, and until when.
//!
//! The call's deadline is the host's: [`Host::pause`] says when it would come first, and then the call ends with what it
//! knows, so that the caller asks again and finds the work further on.
//!
//! ```
//! use drivebay_guest::backoff::{Rhythm, Waiting};
//! use drivebay_guest::{error, fake::FakeHost, types::Error};
//!
//! const LOOKS: Rhythm = Rhythm { first_ms: 250, longest_ms: 2000, times: 60 };
//!
//! fn await_disk(waiting: &mut Waiting<'_>, mut is_there: impl FnMut() -> bool) -> Result<(), Error> {
//!     while !is_there() {
//!         waiting.pause(error!(InProgress: "the disk is being made; ask again"))?;
//!     }
//!     Ok(())
//! }
//!
//! let host = FakeHost::new();
//! let mut looks = 0;
//! let third = || { looks += 1; looks == 3 };
//! assert_eq!(await_disk(&mut Waiting::new(&host, LOOKS), third), Ok(()));
//! host.deadline_in(1000);
//! let never = await_disk(&mut Waiting::new(&host, LOOKS), || false);
//! assert!(matches!(never, Err(Error::InProgress(_))));
//! ```

use crate::bindings::types::Error;
use crate::host::Host;

/// Pauses that double up to a longest one.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// The first pause.
    pub first_ms: u64,
    /// No pause is longer.
    pub longest_ms: u64,
    /// How often to try, or to pause, in all.
    pub times: u32,
}

impl Rhythm {
    /// The pause that comes after so many; milliseconds.
    pub fn pause_after(&self, pauses: u32) -> u64 {
        (self.first_ms << pauses.min(10)).min(self.longest_ms)
    }

    /// The pause before a call is sent again, after so many attempts, the first of which counts 1: somewhere in the upper
    /// half of what doubling comes to, since whoever was throttled together should not come back together.
    ///
    /// `wanted` is what the backend asks for. It is heeded as far as a call's deadline allows: a longer pause would only
    /// be refused.
    pub fn backoff(&self, attempts: u32, wanted: Option<u64>, chance: u8) -> u64 {
        let whole = self.pause_after(attempts.saturating_sub(1));
        let pause = whole / 2 + whole / 2 * u64::from(chance) / 255;
        wanted.map_or(pause, |wanted| wanted.min(3 * self.longest_ms) + pause / 4)
    }
}

/// Looking again until something has changed, or time is up.
#[expect(
    missing_debug_implementations,
    reason = "there is nothing to show of a host"
)]
pub struct Waiting<'a> {
    host: &'a dyn Host,
    rhythm: Rhythm,
    polls: u32,
}

impl<'a> Waiting<'a> {
    /// In that rhythm.
    pub fn new(host: &'a dyn Host, rhythm: Rhythm) -> Self {
        Self {
            host,
            rhythm,
            polls: 0,
        }
    }

    /// Let a little time pass. Once there is none left, the answer is `otherwise`: so that the caller asks again and finds
    /// the work further on.
    pub fn pause(&mut self, otherwise: impl Into<Error>) -> Result<(), Error> {
        match self.may_go_on() {
            true => Ok(()),
            false => Err(otherwise.into()),
        }
    }

    fn may_go_on(&mut self) -> bool {
        let pause = self.rhythm.pause_after(self.polls);
        self.polls += 1;
        self.polls <= self.rhythm.times && self.host.pause(pause).is_ok()
    }

    /// How often it was looked.
    pub fn polls(&self) -> u32 {
        self.polls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    const RHYTHM: Rhythm = Rhythm {
        first_ms: 1000,
        longest_ms: 10_000,
        times: 6,
    };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> = (0..6).map(|n| RHYTHM.pause_after(n)).collect();
        assert_eq!(pauses, [1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(RHYTHM.pause_after(u32::MAX), 10_000);
    }

    #[test]
    fn who_was_throttled_together_comes_back_apart_in_the_upper_half() {
        assert_eq!(RHYTHM.backoff(1, None, 0), 500);
        assert_eq!(RHYTHM.backoff(1, None, 255), 1000);
        assert_eq!(RHYTHM.backoff(3, None, 255), 4000);
    }

    #[test]
    fn a_wish_is_heeded_as_far_as_a_deadline_allows() {
        assert_eq!(RHYTHM.backoff(1, Some(7000), 0), 7125);
        assert_eq!(RHYTHM.backoff(1, Some(u64::MAX), 0), 30_125);
    }

    #[test]
    fn waiting_ends_with_the_last_pause_or_with_the_deadline() {
        let host = FakeHost::new();
        let mut waiting = Waiting::new(&host, RHYTHM);
        let mut pause = || waiting.pause(error!(InProgress: "ask again"));
        for _ in 0..RHYTHM.times {
            assert_eq!(pause(), Ok(()));
        }
        assert!(matches!(pause(), Err(Error::InProgress(_))));
        assert_eq!(host.waited(), 1000 + 2000 + 4000 + 8000 + 10_000 + 10_000);
        host.deadline_in(999);
        let refused = Waiting::new(&host, RHYTHM).pause(error!(InProgress: "ask again"));
        assert!(matches!(refused, Err(Error::InProgress(_))));
    }
}
