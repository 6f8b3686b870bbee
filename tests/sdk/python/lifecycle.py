"""The life of a disk, as every client has to see it: the same sentences for every SDK and signature."""

import json

import changes
import creation
import groups
from cloud import NO_DISK, Cloud, refused, wait
from report import equal, holds


def run(report, client, emulator):
    """All of it, in order; what comes later uses what came before."""
    cloud = Cloud(client, emulator)
    disk = creation.create(report, cloud)
    creation.find(report, cloud, disk)
    creation.page(report, cloud)
    never_attached(report, cloud, disk)
    attach(report, cloud, disk)
    snapshots(report, cloud, disk)
    groups.life(report, cloud, disk)
    changes.tags(report, cloud, disk)
    changes.resize_online(report, cloud, disk)
    detach(report, cloud, disk)
    changes.resize_offline(report, cloud, disk)
    changes.change_kind(report, cloud, disk)
    changes.change_level(report, cloud)
    delete(report, cloud, disk)
    surroundings(report, cloud)


def never_attached(report, cloud, disk_id):
    with report.check("a disk that was never attached has no snapshots"):
        with refused("IncorrectDiskStatus.NeverAttached", 403):
            cloud.call("CreateSnapshot", DiskId=disk_id)
        with refused("IncorrectDiskStatus.NeverAttached", 403):
            cloud.call("CreateSnapshotGroup", DiskId=[disk_id])


def attach(report, cloud, disk_id):
    here = {"DiskId": disk_id, "InstanceId": cloud.instance}
    with report.check("a disk cannot be attached to an instance that does not exist"):
        with refused("InvalidInstanceId.NotFound", 404):
            cloud.call("AttachDisk", DiskId=disk_id, InstanceId="i-00000000000000000000")
    with report.check("a disk that does not exist cannot be attached"):
        with refused("InvalidDiskId.NotFound", 404):
            cloud.call("AttachDisk", DiskId=NO_DISK, InstanceId=cloud.instance)
    with report.check("AttachDisk answers before the disk shows anything of it"):
        cloud.emulator.fault(action="AttachDisk", kind="stays-attaching")
        cloud.call("AttachDisk", **here)
        equal([cloud.disk(disk_id).status for _ in range(2)], ["Available", "Attaching"])
    with report.check("an attached disk names its instance and its device"):
        cloud.emulator.clear_faults()
        disk = cloud.settled(disk_id, "In_use")
        equal(disk.instance_id, cloud.instance)
        holds(disk.device.startswith("/dev/xvd"), disk.device)
        equal([it.instance_id for it in disk.attachments.attachment], [cloud.instance])
    with report.check("an attached disk is found by its instance"):
        found = [disk.disk_id for disk in cloud.disks(InstanceId=cloud.instance)]
        equal(found.count(disk_id), 1)
    with report.check("an attached disk cannot be attached to another instance"):
        with refused("IncorrectDiskStatus", 403):
            cloud.call("AttachDisk", DiskId=disk_id, InstanceId=cloud.other_instance)
    with report.check("an attached disk cannot be deleted"):
        with refused("IncorrectDiskStatus", 403):
            cloud.call("DeleteDisk", DiskId=disk_id)


def snapshots(report, cloud, disk_id):
    wanted = {"DiskId": disk_id, "SnapshotName": "snap-1", "ClientToken": "s:snap-1"}
    cut = None
    with report.check("a snapshot is created"):
        cloud.emulator.set(pace="held")
        cut = cloud.call("CreateSnapshot", **wanted).snapshot_id
        equal(cut[:2], "s-")
    with report.check("a snapshot tells its moment once it is cut, and is usable later"):
        seen = [moment_of(cloud, cut)]
        for _ in range(2):
            cloud.emulator.step()
            seen.append(moment_of(cloud, cut))
        equal(seen, [(False, False), (True, False), (True, True)])
        cloud.emulator.set(pace="running")
    with report.check("a snapshot's token answers the same snapshot again"):
        equal(cloud.call("CreateSnapshot", **wanted).snapshot_id, cut)
    with report.check("a snapshot's token with another name is refused"):
        with refused("IdempotentParameterMismatch", 403):
            cloud.call("CreateSnapshot", **{**wanted, "SnapshotName": "snap-2"})
    with report.check("a snapshot becomes accomplished and names its source"):
        snapshot = wait(lambda it: it.status == "accomplished", lambda: cloud.snapshot(cut))
        equal(snapshot.available, True)
        equal(snapshot.progress, "100%")
        equal(snapshot.source_disk_id, disk_id)
        equal(int(snapshot.source_disk_size), 20)
        holds(snapshot.creation_time.endswith("Z"), snapshot.creation_time)
    with report.check("a disk's snapshots are listed by its id"):
        listed = cloud.call("DescribeSnapshots", DiskId=disk_id)
        equal([it.snapshot_id for it in listed.snapshots.snapshot], [cut])
        equal(listed.total_count, 1)
    restore(report, cloud, cut)
    with report.check("a deleted snapshot is gone"):
        cloud.call("DeleteSnapshot", SnapshotId=cut)
        listed = cloud.call("DescribeSnapshots", DiskId=disk_id)
        equal(listed.snapshots.snapshot, [])
    with report.check("a snapshot cannot be deleted twice"):
        with refused("InvalidSnapshotId.NotFound", 404):
            cloud.call("DeleteSnapshot", SnapshotId=cut)


def moment_of(cloud, cut):
    """Whether the snapshot has a moment, and whether it is usable."""
    snapshot = cloud.snapshot(cut)
    return snapshot.creation_time != "", snapshot.available


def restore(report, cloud, cut):
    with report.check("a disk from a snapshot is not smaller than that, whatever was asked for"):
        restored = cloud.create(SnapshotId=cut, Size=1)
        disk = cloud.settled(restored, "Available")
        equal(disk.size, 20)
        equal(disk.source_snapshot_id, cut)
    with report.check("a snapshot that a disk was made from is not deleted without force"):
        with refused("SnapshotCreatedDisk", 403):
            cloud.call("DeleteSnapshot", SnapshotId=cut)
    with report.check("a disk from a snapshot can be deleted"):
        cloud.delete_when_ready(restored)


def detach(report, cloud, disk_id):
    here = {"DiskId": disk_id, "InstanceId": cloud.instance}
    with report.check("a disk is not detached from an instance that does not have it"):
        with refused("DependencyViolation", 403):
            cloud.call("DetachDisk", DiskId=disk_id, InstanceId=cloud.other_instance)
    with report.check("a detached disk is Available and names no instance"):
        cloud.call("DetachDisk", **here)
        disk = cloud.settled(disk_id, "Available")
        equal(disk.instance_id, "")
        equal(disk.attachments.attachment, [])
    with report.check("a disk that is attached nowhere cannot be detached"):
        with refused("InvalidDisk.AlreadyDetached", 404):
            cloud.call("DetachDisk", **here)


def delete(report, cloud, disk_id):
    with report.check("a deleted disk is gone from the list"):
        cloud.call("DeleteDisk", DiskId=disk_id)
        equal(cloud.disks(DiskIds=json.dumps([disk_id])), [])
    with report.check("a disk cannot be deleted twice"):
        with refused("InvalidDiskId.NotFound", 404):
            cloud.call("DeleteDisk", DiskId=disk_id)


def surroundings(report, cloud):
    with report.check("an instance shows where it is and that it runs"):
        found = cloud.call("DescribeInstances", InstanceIds=json.dumps([cloud.instance]))
        (instance,) = found.instances.instance
        equal(instance.instance_id, cloud.instance)
        equal(instance.zone_id, cloud.zone)
        equal(instance.status, "Running")
    with report.check("an instance's type says how many disks it takes, as a number"):
        kind = {"InstanceTypes": [instance.instance_type], "MaxResults": 100}
        (described,) = cloud.call("DescribeInstanceTypes", **kind).instance_types.instance_type
        holds(described.disk_quantity > 1, described.disk_quantity)
        named = [it.name for it in described.attributes.attribute]
        equal(named, ["DensityDiskQuantity"])
    with report.check("a zone's stock of disks names categories and their sizes"):
        wanted = {"DestinationResource": "DataDisk", "ResourceType": "disk", "ZoneId": cloud.zone}
        (zone,) = cloud.call("DescribeAvailableResource", **wanted).available_zones.available_zone
        (stock,) = zone.available_resources.available_resource
        offered = {it.value: it for it in stock.supported_resources.supported_resource}
        equal(offered["cloud_essd"].status, "Available")
        holds(offered["cloud_essd"].max > 1000, offered["cloud_essd"].max)
    with report.check("zones are listed with the categories that they have"):
        zones = {zone.zone_id: zone for zone in cloud.call("DescribeZones").zones.zone}
        offered = zones[cloud.zone].available_disk_categories.disk_categories
        equal(("cloud_essd" in offered, "cloud_ssd" in offered), (True, False))
    events(report, cloud)


def events(report, cloud):
    told = {"event_type": "SystemFailure.Reboot", "status": "Executing", "reason": "a fault"}
    cloud.emulator.set(instances={cloud.instance: {"events": [told]}})

    def found(**filters):
        answer = cloud.call("DescribeInstanceHistoryEvents", ResourceId=[cloud.instance], **filters)
        return answer.instance_system_event_set.instance_system_event_type

    with report.check("an instance's history has what is over, and what is not if that is asked for"):
        equal(found(), [])
        (event,) = found(InstanceEventCycleStatus=["Executing"])
        equal((event.instance_id, event.reason), (cloud.instance, "a fault"))
        equal(event.event_type.name, "SystemFailure.Reboot")
        equal(event.event_cycle_status.name, "Executing")
