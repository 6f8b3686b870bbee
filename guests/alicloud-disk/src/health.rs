//! How disks are doing, as ECS knows it: whether it has locked them.
//!
//! A lock is ECS's word for a disk that it lets nobody change any more: `financial` (in arrears), `security`, `recycling`
//! (going to be released), and what may come. A disk that is busy, or that nobody has attached, is well.

use drivebay_guest::exports::volume_health_listing::{UnhealthyVolume, VolumeHealthPage};
use drivebay_guest::prelude::*;

use crate::disk::Disk;
use crate::ecs::Ecs;
use crate::id::DiskId;
use crate::list::page_of_disks;

#[inline(never)]
pub(crate) fn get_volume_health(ecs: Ecs<'_>, id: &str) -> Result<Vec<HealthCondition>, Error> {
    let disk = ecs.existing_disk(DiskId::asked(id)?)?;
    Ok(condition(&disk).into_iter().collect())
}

/// A page of ECS's, of which few are unwell: so most pages here are empty and have one that follows.
#[inline(never)]
pub(crate) fn list_volume_health(
    ecs: Ecs<'_>,
    max_entries: u32,
    starting_token: Option<&str>,
) -> Result<VolumeHealthPage, Error> {
    let (disks, next_token) =
        page_of_disks(ecs, "the health of disks", max_entries, starting_token)?;
    let unhealthy = |disk: &Disk| {
        condition(disk).map(|condition| UnhealthyVolume {
            id: disk.id.as_str().into(),
            conditions: vec![condition],
        })
    };
    Ok(VolumeHealthPage {
        volumes: disks.iter().filter_map(unhealthy).collect(),
        next_token,
    })
}

fn condition(disk: &Disk) -> Option<HealthCondition> {
    let mut locks = String::new();
    for lock in disk.tags.list("OperationLocks", "OperationLock") {
        add_word(&mut locks, lock.text("LockReason"));
    }
    let message = format!(
        "disk {} is locked by ECS ({locks}): it cannot be attached, changed or snapshotted until that is settled in the console",
        disk.id
    );
    (!locks.is_empty()).then(|| HealthCondition::degraded("DiskLocked", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeCloud;

    #[test]
    fn a_locked_disk_is_degraded_and_says_why() {
        let cloud = FakeCloud::new();
        let ecs = Ecs { cloud: &cloud };
        let id = cloud.add_disk("cloud_ssd", 20);
        assert!(get_volume_health(ecs, &id).expect("a disk").is_empty());
        cloud.lock(&id, "financial");
        let told = get_volume_health(ecs, &id).expect("a disk");
        assert_eq!((told.len(), told[0].reason.as_str()), (1, "DiskLocked"));
        assert!(told[0].message.contains("(financial)"), "{told:?}");
        for missing in ["d-gone", "fake"] {
            assert!(matches!(
                get_volume_health(ecs, missing),
                Err(Error::NotFound(_))
            ));
        }
    }

    #[test]
    fn only_what_is_locked_is_listed_and_no_page_is_passed_over() {
        let cloud = FakeCloud::new();
        let ecs = Ecs { cloud: &cloud };
        let ids: Vec<String> = (0..13).map(|_| cloud.add_disk("cloud_ssd", 20)).collect();
        cloud.lock(&ids[12], "security");
        let first = list_volume_health(ecs, 7, None).expect("a page");
        assert!(first.volumes.is_empty() && first.next_token.is_some());
        let second = list_volume_health(ecs, 7, first.next_token.as_deref()).expect("a page");
        assert_eq!(second.volumes.len(), 1);
        assert_eq!((&second.volumes[0].id, second.next_token), (&ids[12], None));
        assert!(matches!(
            list_volume_health(ecs, 5, Some("bogus")),
            Err(Error::InProgress(_))
        ));
    }
}
