"""What the first generation does by itself after a failure, and why a creation needs a token.

With its default settings it repeats what failed by 503, without adding a client token.
"""

from cloud import refused
from report import equal


def run(report, kind, emulator):
    client = kind(emulator, ca=emulator.ca, auto_retry=True)
    with report.check("without a token, the SDK's own retry after a lost success makes two disks"):
        equal(len(create(client, emulator, {"DiskName": "twice"})), 2)
    with report.check("with a token, the same retry finds the one disk"):
        named = {"DiskName": "one-disk", "ClientToken": "n:one-disk"}
        equal(len(create(client, emulator, named)), 1)
    with report.check("throttling by the plain code is retried by the SDK itself"):
        emulator.fault(action="DescribeDisks", kind="throttling", code="Throttling")
        before = len(emulator.requests())
        client.call("DescribeDisks")
        equal(len(emulator.requests()) - before, 2)
    with report.check("throttling of the user is not"):
        emulator.fault(action="DescribeDisks", kind="throttling")
        with refused("Throttling.User"):
            client.call("DescribeDisks")


def create(client, emulator, named):
    """Creates a disk whose first answer is lost in a 503, and answers the disks that there are then."""
    unavailable = {"status": 503, "code": "ServiceUnavailable"}
    emulator.fault(action="CreateDisk", kind="error-after", **unavailable)
    client.call("CreateDisk", ZoneId=emulator.zone, DiskCategory="cloud_essd", Size=20, **named)
    return client.call("DescribeDisks", DiskName=named["DiskName"]).disks.disk
