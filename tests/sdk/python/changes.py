"""What can be changed of a disk: its tags, its size, its performance level."""

from cloud import LABEL, NO_DISK, SHARP, refused, tags_of, wait
from report import equal


def tags(report, cloud, disk_id):
    subject = {"ResourceType": "disk", "ResourceId": [disk_id]}

    def listed(**filters):
        found = cloud.call("ListTagResources", **{**subject, **filters})
        return {it.tag_key: it.tag_value for it in found.tag_resources.tag_resource}

    with report.check("a tag that is added shows in both lists"):
        cloud.call("TagResources", **subject, Tag=[{"Key": "k3", "Value": SHARP}])
        equal(listed()["k3"], SHARP)
        equal(tags_of(cloud.disk(disk_id))["k3"], SHARP)
    with report.check("a tag that is removed is gone, and the others are not"):
        cloud.call("UntagResources", **subject, TagKey=["k3", "k2"])
        equal(listed(), {LABEL["Key"]: SHARP})
    with report.check("what does not exist cannot be tagged"):
        with refused("InvalidResourceId.NotFound", 404):
            unknown = {**subject, "ResourceId": [NO_DISK]}
            cloud.call("TagResources", **unknown, Tag=[LABEL])


def resize_online(report, cloud, disk_id):
    grown = {"DiskId": disk_id, "NewSize": 30, "Type": "online", "ClientToken": "r:30"}
    with report.check("an attached disk grows online, without an order that is paid in advance"):
        equal(getattr(cloud.call("ResizeDisk", **grown), "order_id", None), None)
        wait(lambda disk: disk.size == 30, lambda: cloud.disk(disk_id))
    with report.check("a repeated resize with its token is no error"):
        cloud.call("ResizeDisk", **grown)
        equal(cloud.disk(disk_id).size, 30)
    with report.check("a disk never shrinks, nor grows to the size that it has"):
        with refused("InvalidDiskSize.TooSmall", 403):
            cloud.call("ResizeDisk", DiskId=disk_id, NewSize=20, Type="online")
        with refused("InvalidDiskSize", 403):
            cloud.call("ResizeDisk", DiskId=disk_id, NewSize=30, Type="online")


def resize_offline(report, cloud, disk_id):
    with report.check("a disk that is attached nowhere does not grow online"):
        with refused("IncorrectDiskStatus", 403):
            cloud.call("ResizeDisk", DiskId=disk_id, NewSize=40, Type="online")
    with report.check("a disk that is attached nowhere grows offline, which needs no word"):
        cloud.call("ResizeDisk", DiskId=disk_id, NewSize=40)
        wait(lambda disk: disk.size == 40, lambda: cloud.disk(disk_id))


def change_kind(report, cloud, disk_id):
    def change(**wanted):
        return cloud.call("ModifyDiskSpec", DiskId=disk_id, **wanted)

    with report.check("what a dry run would do is told by an error, and not done"):
        with refused("DryRunOperation", 400):
            change(DiskCategory="cloud_auto", DryRun=True)
        equal(cloud.disk(disk_id).category, "cloud_essd")
    with report.check("a performance level that the disk is too small for is refused"):
        with refused("OperationDenied.PerformanceLevelNotMatch", 403):
            change(PerformanceLevel="PL3")
    with report.check("a performance level never becomes PL0"):
        with refused("InvalidPerformanceLevel.TooLow", 403):
            change(PerformanceLevel="PL0")
    with report.check("a category that no disk can change to is refused"):
        with refused("InvalidDiskCategory.ValueNotSupported", 400):
            change(DiskCategory="cloud")
    with report.check("a category changes by a task that ends"):
        task = change(DiskCategory="cloud_auto").task_id
        seen = wait(lambda it: it.task_status == "Finished", lambda: task_of(cloud, task))
        equal(seen.task_action, "ModifyDiskSpec")
        equal(cloud.disk(disk_id).category, "cloud_auto")
    with report.check("a change to what the disk is already is refused"):
        with refused("NoChangeInDiskCategoryAndPerformanceLevel", 403):
            change(DiskCategory="cloud_auto")


def change_level(report, cloud):
    disk_id = cloud.create(PerformanceLevel="PL0")
    cloud.settled(disk_id, "Available")
    with report.check("a performance level that changes alone has no task"):
        changed = cloud.call("ModifyDiskSpec", DiskId=disk_id, PerformanceLevel="PL1")
        equal(getattr(changed, "task_id", None), None)
        wait(lambda disk: disk.performance_level == "PL1", lambda: cloud.disk(disk_id))
    cloud.delete_when_ready(disk_id)


def task_of(cloud, task_id):
    """One task that is there."""
    return cloud.call("DescribeTasks", TaskIds=task_id).task_set.task[0]
