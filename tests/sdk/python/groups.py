"""The life of snapshots that are cut together."""

from cloud import NO_DISK, refused, wait
from report import equal, holds


def life(report, cloud, disk_id):
    """With the disk that is there and a second one."""
    other = cloud.create()
    cloud.settled(other, "Available")
    here = {"DiskId": other, "InstanceId": cloud.instance}
    cloud.call("AttachDisk", **here)
    cloud.settled(other, "In_use")
    wanted = {"DiskId": [disk_id, other], "Name": "group-1", "ClientToken": "g:group-1"}
    wanted["Tag"] = [{"Key": "drivebay.test/group", "Value": "1"}]
    cut = create(report, cloud, wanted)
    describe(report, cloud, cut, wanted["DiskId"])
    refuse(report, cloud, disk_id)
    delete(report, cloud, cut)
    cloud.call("DetachDisk", **here)
    cloud.delete_when_ready(other)


def create(report, cloud, wanted):
    cut = None
    with report.check("a group of snapshots is created"):
        cut = cloud.call("CreateSnapshotGroup", **wanted).snapshot_group_id
        equal(cut[:4], "ssg-")
    with report.check("a group's token answers the same group again"):
        equal(cloud.call("CreateSnapshotGroup", **wanted).snapshot_group_id, cut)
    with report.check("a group's token with other disks is refused"):
        with refused("IdempotentParameterMismatch", 403):
            cloud.call("CreateSnapshotGroup", **{**wanted, "DiskId": wanted["DiskId"][:1]})
    return cut


def describe(report, cloud, cut, disks):
    with report.check("a group becomes accomplished and has a snapshot of each disk"):
        group = wait(lambda it: it.status == "accomplished", lambda: found(cloud, cut))
        equal(group.name, "group-1")
        holds(group.creation_time.endswith("Z"), group.creation_time)
        members = group.snapshots.snapshot
        equal([it.source_disk_id for it in members], disks)
        equal([it.available for it in members], [True, True])
    with report.check("a group's tags come back as they were sent, unlike those of disks"):
        equal([(it.key, it.value) for it in group.tags.tag], [("drivebay.test/group", "1")])
    with report.check("a group is found by its tag"):
        tag = [{"Key": "drivebay.test/group", "Value": "1"}]
        listed = cloud.call("DescribeSnapshotGroups", Tag=tag)
        equal([it.snapshot_group_id for it in listed.snapshot_groups.snapshot_group], [cut])
        equal(listed.next_token, "")
    with report.check("a snapshot of a group tells its size and, in its name, the group"):
        snapshot = cloud.snapshot(members[0].snapshot_id)
        equal(int(snapshot.source_disk_size), 20)
        equal(snapshot.snapshot_name, f"Created_from_{cut}")


def found(cloud, cut):
    listed = cloud.call("DescribeSnapshotGroups", SnapshotGroupId=[cut])
    (group,) = listed.snapshot_groups.snapshot_group
    return group


def refuse(report, cloud, disk_id):
    with report.check("a group of a disk that does not exist is refused"):
        with refused("InvalidDiskId.NotFound", 404):
            cloud.call("CreateSnapshotGroup", DiskId=[disk_id, NO_DISK])


def delete(report, cloud, cut):
    with report.check("a group goes with its snapshots, and says which"):
        gone = cloud.call("DeleteSnapshotGroup", SnapshotGroupId=cut)
        progress = gone.operation_progress_set.operation_progress
        equal([it.operation_status for it in progress], ["Success", "Success"])
        named = [it.related_item_set.related_item[0] for it in progress]
        equal({it.name for it in named}, {"SnapshotId"})
        left = cloud.call("DescribeSnapshotGroups", SnapshotGroupId=[cut])
        equal(left.snapshot_groups.snapshot_group, [])
    with report.check("a group cannot be deleted twice"):
        with refused("InvalidSnapshotGroup.NotFound", 404):
            cloud.call("DeleteSnapshotGroup", SnapshotGroupId=cut)
