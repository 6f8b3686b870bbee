//! What one piece of work beneath a directory has taken so far, against what it may take.
//!
//! The work counts as it goes and stops where it is told to; it then takes away what it made. Nothing here ends
//! processes: what hangs in the kernel counts nothing, and whoever started it has to look at the clock.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfs, fstatvfs};

use crate::worker::job_limits::Exceeded;
use crate::worker::{Fault, FaultKind, JobLimits};

/// Bytes written between two looks at what is free.
const SPACE_STEP: u64 = 16 << 20;

/// Entries made between two looks at the inodes.
const INODE_STEP: u64 = 1024;

/// Of the memory that a process may have, what is for names and attributes: they are kept in containers that double.
const KEPT_PART: u64 = 2;

/// What an entry in such a container takes besides its bytes.
const KEPT_OVERHEAD: u64 = 96;

/// Why work is to stop, said by whoever looks at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ending {
    NotYet,
    OutOfTime,
    Unattended,
}

/// Work that has to end sooner or later; clones are about the same work.
#[derive(Debug, Clone)]
pub(in crate::worker) struct Endings(Arc<AtomicU8>);

impl Endings {
    pub(in crate::worker) fn none_yet() -> Self {
        Self(Arc::new(AtomicU8::new(Ending::NotYet as u8)))
    }

    pub(super) fn order(&self, ending: Ending) {
        self.0.store(ending as u8, Ordering::Relaxed);
    }

    pub(super) fn ordered(&self) -> Ending {
        match self.0.load(Ordering::Relaxed) {
            said if said == Ending::OutOfTime as u8 => Ending::OutOfTime,
            said if said == Ending::Unattended as u8 => Ending::Unattended,
            _ => Ending::NotYet,
        }
    }

    /// Whether the work still runs, beside the one who asks.
    pub(super) fn are_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// The bounds of one piece of work.
#[derive(Debug)]
pub(crate) struct Bounds {
    job: Option<JobBounds>,
    until: Option<Instant>,
    entries: Cell<u64>,
    written: Cell<u64>,
    kept: Cell<u64>,
}

#[derive(Debug)]
struct JobBounds {
    limits: JobLimits,
    /// Somewhere on the filesystem that is written to.
    disk: OwnedFd,
    endings: Endings,
}

impl Bounds {
    /// For work that has a call's deadline and keeps nothing.
    pub(crate) fn of_a_call() -> Self {
        Self::with(None, None)
    }

    /// For what is done by the way: it stops when that is over.
    pub(crate) fn for_a_while(time: Duration) -> Self {
        Self::with(None, Some(Instant::now() + time))
    }

    /// For bulk work that writes to the filesystem of that directory.
    pub(super) fn of_a_job(
        limits: JobLimits,
        directory: &impl AsFd,
        endings: Endings,
    ) -> std::io::Result<Self> {
        let disk = directory.as_fd().try_clone_to_owned()?;
        let job = JobBounds {
            limits,
            disk,
            endings,
        };
        Ok(Self::with(Some(job), None))
    }

    fn with(job: Option<JobBounds>, until: Option<Instant>) -> Self {
        Self {
            job,
            until,
            entries: Cell::new(0),
            written: Cell::new(0),
            kept: Cell::new(0),
        }
    }

    /// One more entry, in so many directories beneath the root.
    pub(crate) fn enter(&self, depth: usize) -> Result<(), Fault> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Fault::new(
                FaultKind::Busy,
                "it takes longer than there is time now",
            ));
        }
        let Some(job) = &self.job else {
            return Ok(());
        };
        let entries = add(&self.entries, 1);
        job.may_go_on()?;
        job.unless(entries > u64::from(job.limits.entries), Exceeded::Entries)?;
        self.descend(depth)?;
        match entries % INODE_STEP {
            1 => job.look_at_inodes(),
            _ => Ok(()),
        }
    }

    /// The way to something that is no entry of its own.
    pub(crate) fn descend(&self, depth: usize) -> Result<(), Fault> {
        let Some(job) = &self.job else {
            return Ok(());
        };
        let allowed = u32::try_from(depth).is_ok_and(|depth| depth <= job.limits.depth);
        job.unless(!allowed, Exceeded::Depth)
    }

    /// Nothing is taken; whether there is time for more.
    pub(crate) fn go_on(&self) -> Result<(), Fault> {
        self.job.as_ref().map_or(Ok(()), JobBounds::may_go_on)
    }

    /// So many more bytes were, or are about to be, written.
    pub(crate) fn write(&self, bytes: u64) -> Result<(), Fault> {
        let Some(job) = &self.job else {
            return Ok(());
        };
        let before = self.written.get();
        let written = add(&self.written, bytes);
        job.may_go_on()?;
        job.unless(written > job.limits.size_bytes, Exceeded::Size)?;
        match before == 0 || before / SPACE_STEP != written / SPACE_STEP {
            true => job.look_at_space(),
            false => Ok(()),
        }
    }

    /// So many more bytes are kept in memory, as one thing.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Fault> {
        let Some(job) = &self.job else {
            return Ok(());
        };
        let kept = add(&self.kept, in_memory(bytes));
        job.unless(kept > job.limits.memory_bytes / KEPT_PART, Exceeded::Memory)
    }

    /// What was kept is not any more.
    pub(crate) fn forget(&self, bytes: usize) {
        self.kept
            .set(self.kept.get().saturating_sub(in_memory(bytes)));
    }
}

impl JobBounds {
    fn may_go_on(&self) -> Result<(), Fault> {
        match self.endings.ordered() {
            Ending::NotYet => Ok(()),
            Ending::OutOfTime => Err(Exceeded::Time.fault(&self.limits)),
            Ending::Unattended => Err(Fault::new(FaultKind::Busy, "nobody waits for it any more")),
        }
    }

    fn unless(&self, exceeded: bool, what: Exceeded) -> Result<(), Fault> {
        match exceeded {
            true => Err(what.fault(&self.limits)),
            false => Ok(()),
        }
    }

    fn look_at_space(&self) -> Result<(), Fault> {
        let short = |disk: StatVfs| self.is_short(disk.f_bavail, disk.f_blocks);
        self.unless(fstatvfs(&self.disk).is_ok_and(short), Exceeded::FreeSpace)
    }

    fn look_at_inodes(&self) -> Result<(), Fault> {
        let short = |disk: StatVfs| self.is_short(disk.f_favail, disk.f_files);
        self.unless(fstatvfs(&self.disk).is_ok_and(short), Exceeded::FreeInodes)
    }

    /// A filesystem that counts nothing says that it has none at all.
    fn is_short(&self, available: u64, total: u64) -> bool {
        let kept = u128::from(total) * u128::from(self.limits.free_percent);
        total > 0 && u128::from(available) * 100 < kept
    }
}

fn add(sum: &Cell<u64>, count: u64) -> u64 {
    sum.set(sum.get().saturating_add(count));
    sum.get()
}

fn in_memory(bytes: usize) -> u64 {
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(KEPT_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(limits: JobLimits) -> (Bounds, Endings) {
        let endings = Endings::none_yet();
        let root = std::fs::File::open("/").expect("there");
        let bounds = Bounds::of_a_job(limits, &root, endings.clone()).expect("cloned");
        (bounds, endings)
    }

    fn refusal(answer: Result<(), Fault>) -> String {
        let fault = answer.expect_err("past the limit");
        assert_eq!(fault.kind, FaultKind::Exhausted);
        fault.message
    }

    #[test]
    fn each_limit_is_met_and_named() {
        let (bounds, endings) = bounds(JobLimits {
            memory_bytes: 2 << 10,
            depth: 2,
            entries: 3,
            size_bytes: 2048,
            free_percent: 0,
            ..JobLimits::default()
        });
        assert_eq!(bounds.enter(2), Ok(()));
        assert!(refusal(bounds.enter(3)).contains("limits.jobs.depth = 2"));
        assert_eq!(bounds.enter(1), Ok(()));
        assert!(refusal(bounds.enter(1)).contains("limits.jobs.entries = 3"));
        assert_eq!(bounds.write(2048), Ok(()));
        assert!(refusal(bounds.write(1)).contains("limits.jobs.size = \"2KiB\""));
        assert_eq!(bounds.keep(900), Ok(()));
        bounds.forget(900);
        assert_eq!(bounds.keep(900), Ok(()));
        assert!(refusal(bounds.keep(900)).contains("limits.jobs.memory = \"2KiB\""));
        endings.order(Ending::OutOfTime);
        assert!(refusal(bounds.write(0)).contains("limits.jobs.time = \"24h\""));
        endings.order(Ending::Unattended);
        assert_eq!(bounds.enter(0).expect_err("ended").kind, FaultKind::Busy);
    }

    #[test]
    fn what_has_to_stay_free_is_looked_at_before_the_first_byte() {
        let (bounds, _) = bounds(JobLimits {
            free_percent: 101,
            ..JobLimits::default()
        });
        assert!(refusal(bounds.write(1)).contains("limits.jobs.free-percent = 101"));
    }

    #[test]
    fn the_work_of_a_call_has_the_calls_deadline_alone() {
        let bounds = Bounds::of_a_call();
        assert_eq!(bounds.enter(1 << 20), Ok(()));
        assert_eq!(bounds.write(u64::MAX), Ok(()));
        assert_eq!(bounds.keep(usize::MAX), Ok(()));
        assert!(Bounds::for_a_while(Duration::ZERO).enter(0).is_err());
    }
}
