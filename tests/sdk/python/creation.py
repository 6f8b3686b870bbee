"""How disks come to be and how they are found: the same sentences for every SDK and signature."""

import json

from cloud import LABEL, NO_DISK, SHARP, refused, tags_of
from report import equal, holds


def create(report, cloud):
    wanted = {
        "DiskName": "pvc-1",
        "Description": SHARP,
        "PerformanceLevel": "PL1",
        "Encrypted": False,
        "ClientToken": "n:pvc-1",
        "Tag": [LABEL, {"Key": "k2", "Value": "v 2"}],
    }
    disk_id = None
    with report.check("a disk is created, and its id leaves a serial number of 20 characters"):
        disk_id = cloud.create(**wanted)
        equal(disk_id[:2], "d-")
        equal(len(disk_id), 22)
    with report.check("the same token with the same parameters answers the same disk"):
        equal(cloud.create(**wanted), disk_id)
    with report.check("the same token with another size is refused"):
        with refused("IdempotentParameterMismatch", 400):
            cloud.create(**{**wanted, "Size": 21})
    with report.check("the disk becomes Available with everything it was created with"):
        disk = cloud.settled(disk_id, "Available")
        equal(disk.size, 20)
        equal(disk.disk_name, "pvc-1")
        equal(disk.description, SHARP)
        equal(disk.category, "cloud_essd")
        equal(disk.performance_level, "PL1")
        equal(disk.zone_id, cloud.zone)
        equal(disk.encrypted, False)
        equal(disk.type, "data")
        equal(disk.disk_charge_type, "PostPaid")
    with report.check("the disk's serial number is its id without d-"):
        equal(cloud.disk(disk_id).serial_number, disk_id[2:])
    with report.check("an ordinary disk says that it cannot be shared"):
        equal(cloud.disk(disk_id).multi_attach, "Disabled")
    with report.check("the disk's tags come back as they were sent"):
        equal(tags_of(cloud.disk(disk_id)), {LABEL["Key"]: SHARP, "k2": "v 2"})
    malformed(report, cloud)
    return disk_id


def malformed(report, cloud):
    cases = [
        ("a size its performance level lacks", 400, "InvalidDiskSize.NotSupported", {"Size": 5}),
        ("a category that does not exist", 400, "InvalidDiskCategory.NotSupported",
         {"DiskCategory": "cloud_floppy"}),
        ("a zone that does not exist", 404, "InvalidZoneId.NotFound",
         {"ZoneId": "cn-hangzhou-zz"}),
        ("a name that begins with a digit", 400, "InvalidDiskName.Malformed",
         {"DiskName": "1st"}),
        ("a category that no zone of a public cloud has", 400,
         "InvalidDataDiskCategory.NotSupported", {"DiskCategory": "cloud_essd_xc0", "Size": 40}),
        ("a snapshot that does not exist", 404, "InvalidSnapshotId.NotFound",
         {"SnapshotId": "s-00000000000000000000"}),
    ]
    for what, status, code, parameters in cases:
        with report.check(f"a disk of {what} is refused"):
            with refused(code, status):
                cloud.create(**parameters)


def find(report, cloud, disk_id):
    def ids(**filters):
        return [disk.disk_id for disk in cloud.disks(**filters)]

    with report.check("a disk that does not exist is left out of the list, not refused"):
        equal(ids(DiskIds=json.dumps([disk_id, NO_DISK])), [disk_id])
    with report.check("an empty list of ids finds nothing"):
        equal(ids(DiskIds="[]"), [])
    with report.check("a list of ids that is no list is refused"):
        with refused("InvalidParameter.DiskIds", 400):
            ids(DiskIds=disk_id)
    with report.check("a disk is found by its name"):
        equal(ids(DiskName="pvc-1"), [disk_id])
    with report.check("a disk is found by a tag with every character that encoders differ in"):
        equal(ids(Tag=[LABEL]), [disk_id])
    with report.check("a disk is found by whether it goes with its instance"):
        equal(disk_id in ids(DeleteWithInstance=False), True)
        equal(disk_id in ids(DeleteWithInstance=True), False)
    with report.check("what a dry run would find is told by an error"):
        with refused("DryRunOperation", 400):
            ids(DryRun=True)
    with report.check("a disk is not found by another value of its tag"):
        equal(ids(Tag=[{**LABEL, "Value": "other"}]), [])


def page(report, cloud):
    mark = {"Tag": [{"Key": "drivebay.test/page", "Value": "yes"}]}
    made = [cloud.create(Size=1, PerformanceLevel="PL0", **mark) for _ in range(12)]

    def numbered(number):
        return cloud.call("DescribeDisks", PageNumber=number, PageSize=5, **mark)

    with report.check("pages by number show each disk once, and how many there are"):
        pages = [numbered(number) for number in (1, 2, 3)]
        equal([len(page.disks.disk) for page in pages], [5, 5, 2])
        equal([page.total_count for page in pages], [12, 12, 12])
        seen = [disk.disk_id for page in pages for disk in page.disks.disk]
        equal(sorted(seen), sorted(made))
    with report.check("a page beyond the end is empty"):
        equal(numbered(4).disks.disk, [])
    with report.check("pages by token show each disk once, and end"):
        first = cloud.call("DescribeDisks", MaxResults=10, **mark)
        rest = cloud.call("DescribeDisks", MaxResults=10, NextToken=first.next_token, **mark)
        seen = [disk.disk_id for page in (first, rest) for disk in page.disks.disk]
        equal([len(page.disks.disk) for page in (first, rest)], [10, 2])
        equal(sorted(seen), sorted(made))
        holds(not rest.next_token, rest.next_token)
    for disk_id in made:
        cloud.delete_when_ready(disk_id)
