//! What a rule made goes again: on real servers it would stay, and be paid for.

use std::time::{Duration, Instant};

use drivebay::driver::Servers;
use drivebay::error::DriverError;

use super::bench::Bench;
use super::expectation::{passes, told};
use super::made::{Asked, is_open};

/// For how long real servers are asked again to take something away, and what they get in between: a disk that was let go
/// of a moment ago is still in use for a while. One that does not answer takes longer than that by itself.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

impl Bench {
    /// Removes what was made since this was done last; what cannot be removed is no rule's, but told where it stays.
    pub(super) fn clean(&self) {
        if self.servers == Servers::Real {
            self.find_what_was_perhaps_made();
        }
        let made = self.made.take();
        for path in made.mounted {
            self.unmount_path(&path);
        }
        for key in made.attached {
            // If it is attached still, its volume stays, which is told.
            let _ = self.patiently(|| self.detach(&key, &self.subject.node));
        }
        for (id, snapshots) in made.groups {
            let deleted = self.patiently(|| self.session().delete_group_snapshot(&id, &snapshots));
            self.note_left(&format!("group snapshot {:?}", id.0), deleted);
        }
        for id in made.snapshots {
            let deleted = self.patiently(|| self.session().delete_snapshot(&id));
            self.note_left(&format!("snapshot {:?}", id.0), deleted);
        }
        for id in made.volumes {
            let deleted = self.patiently(|| self.delete(&id));
            self.note_left(&format!("volume {:?}", id.0), deleted);
        }
    }

    /// Whoever asks once more, as callers do, is told what it is.
    fn find_what_was_perhaps_made(&self) {
        let perhaps = std::mem::take(&mut self.made.borrow_mut().perhaps);
        for asked in perhaps {
            let (what, found) = match &asked {
                Asked::Volume(request) => (
                    format!("perhaps a volume named {:?}", request.name),
                    self.patiently(|| self.create(request)).map(drop),
                ),
                Asked::Snapshot(request) => (
                    format!("perhaps a snapshot named {:?}", request.name),
                    self.patiently(|| self.cut_as(request)).map(drop),
                ),
                Asked::Group(request) => (
                    format!("perhaps a group snapshot named {:?}", request.name),
                    self.patiently(|| self.cut_group_as(request)).map(drop),
                ),
            };
            match found {
                // A refusal for good says that there is none.
                Err(error) if !is_open(&error) => {}
                found => self.note_left(&what, found),
            }
        }
        self.made.borrow_mut().perhaps.clear();
    }

    fn note_left(&self, what: &str, outcome: Result<(), DriverError>) {
        if let (Err(error), Servers::Real) = (outcome, self.servers) {
            self.left
                .borrow_mut()
                .push(format!("{what}: {}", told(&error)));
        }
    }

    fn patiently<T>(&self, call: impl Fn() -> Result<T, DriverError>) -> Result<T, DriverError> {
        let begun = Instant::now();
        loop {
            match call() {
                Err(error)
                    if passes(&error)
                        && self.servers == Servers::Real
                        && begun.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(PAUSE);
                }
                answer => return answer,
            }
        }
    }
}
