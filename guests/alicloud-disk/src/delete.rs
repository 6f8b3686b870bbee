//! Disks go.

use drivebay_guest::prelude::*;

use crate::api_request::{Action, Call};
use crate::disk::{Disk, Status};
use crate::ecs::{Api, Ecs};
use crate::id::DiskId;

/// Delete a disk. One that is in use stays: taking it from a node is for `detach-volume`, which is asked for.
#[inline(never)]
pub(crate) fn delete_volume(ecs: Ecs<'_>, id: &str) -> Result<(), Error> {
    let Some(id) = DiskId::parse(id) else {
        // No disk has such a name, and what does not exist is deleted.
        return Ok(());
    };
    let call = Call::new(Action::DeleteDisk, format!("disk {id}")).with("DiskId", id.as_str());
    let mut waiting = ecs.waiting();
    loop {
        let disk = ecs.disk(id)?;
        let otherwise = match disk.as_ref().map(hindrance).transpose()?.flatten() {
            Some(busy) => busy,
            // Also where it is not to be seen: a new disk is described late, and would stay for ever.
            None => match ecs.call(&call) {
                Ok(_) => return Ok(()),
                Err(failure) if failure.is_not_found() => return Ok(()),
                Err(failure) if failure.passes() => failure.into(),
                Err(failure) => return Err(failure.into()),
            },
        };
        waiting.pause(otherwise)?;
    }
}

/// What keeps a disk from being deleted for now; an error where that is for good.
fn hindrance(disk: &Disk) -> Result<Option<Error>, Error> {
    match disk.status {
        Status::Creating | Status::Attaching | Status::Detaching => Ok(Some(
            error!(InProgress: "disk {} cannot be deleted while it is {}; ask again", disk.id,
                disk.status.name()),
        )),
        Status::InUse | Status::Available | Status::Other(_) if !disk.nodes.is_empty() => Err(
            error!(FailedPrecondition: "disk {} cannot be deleted: it is attached to {}; detach it first", disk.id,
                disk.node_names()),
        ),
        Status::InUse => Err(
            error!(FailedPrecondition: "disk {} cannot be deleted: it is in use; detach it first",
            disk.id),
        ),
        Status::Available | Status::Other(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCloud, Fault};

    fn delete(cloud: &FakeCloud, id: &str) -> Result<(), Error> {
        delete_volume(Ecs { cloud }, id)
    }

    #[test]
    fn a_disk_is_deleted_and_a_second_time_is_success() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        delete(&cloud, &id).expect("deleted");
        assert!(cloud.disk(&id).is_none());
        delete(&cloud, &id).expect("gone");
        delete(&cloud, "fake-vol-id").expect("no such name");
    }

    #[test]
    fn a_disk_that_is_described_late_is_deleted_all_the_same() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.fault(Action::DescribeDisks, Fault::Stale);
        delete(&cloud, &id).expect("deleted");
        assert!(cloud.disk(&id).is_none());
    }

    #[test]
    fn an_attached_disk_stays_and_the_node_is_named() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.attach(&id, "i-7");
        let error = delete(&cloud, &id).expect_err("in use");
        assert!(matches!(error, Error::FailedPrecondition(m) if m.contains("i-7")));
        assert_eq!(cloud.count(Action::DeleteDisk), 0);
    }

    #[test]
    fn a_disk_being_initialised_is_waited_for() {
        let cloud = FakeCloud::new();
        let id = cloud.add_disk("cloud_ssd", 20);
        cloud.fault(
            Action::DeleteDisk,
            Fault::Refuse("IncorrectDiskStatus.Initializing"),
        );
        cloud.fault(Action::DeleteDisk, Fault::LoseAnswer);
        delete(&cloud, &id).expect("deleted");
        assert!(cloud.disk(&id).is_none());
    }

    #[test]
    fn protection_and_missing_permission_are_final() {
        for (code, hint) in [
            ("InvalidDiskStatus.DeleteProtection", "Protection"),
            ("Forbidden.RAM", "ecs:DeleteDisk"),
        ] {
            let cloud = FakeCloud::new();
            let id = cloud.add_disk("cloud_ssd", 20);
            cloud.fault(Action::DeleteDisk, Fault::Refuse(code));
            let error = format!("{:?}", delete(&cloud, &id).expect_err("refused"));
            assert!(error.contains(hint), "{error}");
            assert_eq!(cloud.count(Action::DeleteDisk), 1);
        }
    }
}
