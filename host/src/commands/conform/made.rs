//! What a rule made, and how it goes again: on real servers it would stay, and be paid for.

use std::time::Duration;

use drivebay::driver::Servers;
use drivebay::error::{Condition, DriverError};
use drivebay::volume::{
    CreateGroupSnapshot, CreateSnapshot, CreateVolume, GroupSnapshot, GroupSnapshotId, SnapshotId,
    VolumeId, VolumeKey,
};

use super::bench::Bench;
use super::expectation::{broke_down, passes, told};

/// How often real servers are asked to take something away, and how long they get in between: a disk that was let go of
/// a moment ago is still in use for a while.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Since it was removed last.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) volumes: Vec<VolumeId>,
    pub(super) snapshots: Vec<SnapshotId>,
    /// With their snapshots, without which nobody deletes a group.
    groups: Vec<(GroupSnapshotId, Vec<SnapshotId>)>,
    pub(super) attached: Vec<VolumeKey>,
    pub(super) mounted: Vec<String>,
    /// What was asked for, and perhaps made, though the answer does not say so.
    perhaps: Vec<Asked>,
}

/// What something was asked for with.
#[derive(Debug, Clone)]
enum Asked {
    Volume(CreateVolume),
    Snapshot(CreateSnapshot),
    Group(CreateGroupSnapshot),
}

impl Made {
    /// What a call that makes a volume came to.
    pub(super) fn note_volume<'a>(
        &mut self,
        request: &CreateVolume,
        answer: Result<&'a VolumeId, &'a DriverError>,
    ) {
        match answer {
            Ok(id) => add(&mut self.volumes, id.clone()),
            Err(error) if is_open(error) => self.perhaps.push(Asked::Volume(request.clone())),
            Err(_) => {}
        }
    }

    /// The same of a snapshot.
    pub(super) fn note_snapshot<'a>(
        &mut self,
        request: &CreateSnapshot,
        answer: Result<&'a SnapshotId, &'a DriverError>,
    ) {
        match answer {
            Ok(id) => add(&mut self.snapshots, id.clone()),
            Err(error) if is_open(error) => self.perhaps.push(Asked::Snapshot(request.clone())),
            Err(_) => {}
        }
    }

    /// The same of a group.
    pub(super) fn note_group(
        &mut self,
        request: &CreateGroupSnapshot,
        answer: Result<&GroupSnapshot, &DriverError>,
    ) {
        match answer {
            Ok(group) => {
                let snapshots = group.snapshots.iter();
                let snapshots = snapshots.map(|snapshot| snapshot.id.clone());
                add(&mut self.groups, (group.id.clone(), snapshots.collect()));
            }
            Err(error) if is_open(error) => self.perhaps.push(Asked::Group(request.clone())),
            Err(_) => {}
        }
    }
}

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
        if self.servers == Servers::Real {
            for _ in 1..ATTEMPTS {
                match call() {
                    Err(error) if passes(&error) => std::thread::sleep(PAUSE),
                    answer => return answer,
                }
            }
        }
        call()
    }
}

/// Whether something may have been made all the same.
fn is_open(error: &DriverError) -> bool {
    passes(error) || broke_down(error) || error.condition() == Condition::Internal
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
