"""What both SDK generations have in common, in words of neither: a refusal, a request's stamp, what is
asked of the cloud all the time."""

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from report import equal, holds

# The emulator's transitions take a twentieth of a second, on a machine that may be slow.
PATIENCE_SECONDS = 20
PAUSE_SECONDS = 0.02

# Everything that some encoder or other writes differently from the canonical form.
SHARP = "pvc a+b*~é'!()/&=%"

LABEL = {"Key": "drivebay.test/volume", "Value": SHARP}

# How Python puts it, whatever the SDK puts around it.
DISTRUSTED = "certificate verify failed"
CUT = "Connection aborted"

NO_DISK = "d-00000000000000000000"

# Issued by nobody and trusted by nobody.
OTHER_CA = str(Path(__file__).parent.parent / "other-ca.pem")


class Refused(Exception):
    """The API's error, as the SDK understood it; its cause is the SDK's own exception."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class Unreached(Exception):
    """The SDK sent nothing, or got no answer; its cause is the SDK's own exception."""


@dataclass(frozen=True)
class Stamp:
    """What a request says of when it was made and that it is new; the SDK decides where it is None."""

    date: str | None = None
    nonce: str | None = None


@contextmanager
def refused(code, status=None):
    """What is done here has to be refused with this code."""
    try:
        yield
    except Refused as refusal:
        equal(refusal.code, code)
        if status is not None:
            equal(refusal.status, status)
    else:
        raise AssertionError(f"expected {code}, got success")


@contextmanager
def unreached(words):
    """What is done here must not come through, for a reason in which these words stand."""
    try:
        yield
    except Unreached as error:
        holds(words in str(error), error)
    else:
        raise AssertionError("expected no connection, got an answer")


def wait(until, ask):
    """Asks until the answer is as wanted, and answers it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if until(answer):
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"still {answer!r} after {PATIENCE_SECONDS} s")
        time.sleep(PAUSE_SECONDS)


class Cloud:
    """The client, and what is asked of it all the time."""

    def __init__(self, client, emulator):
        self.call = client.call
        self.zone = emulator.zone
        self.instance = emulator.instance
        self.other_instance = emulator.other_instance
        self.emulator = emulator

    def create(self, **parameters):
        """A disk of the smallest size that every performance level but the higher ones has."""
        wanted = {"ZoneId": self.zone, "DiskCategory": "cloud_essd", "Size": 20, **parameters}
        return self.call("CreateDisk", **wanted).disk_id

    def disks(self, **filters):
        """The disks of one description."""
        return self.call("DescribeDisks", **filters).disks.disk

    def disk(self, disk_id):
        """One disk that is there."""
        found = self.disks(DiskIds=json.dumps([disk_id]))
        equal([disk.disk_id for disk in found], [disk_id])
        return found[0]

    def settled(self, disk_id, status):
        """The disk, once it has this status."""
        return wait(lambda disk: disk.status == status, lambda: self.disk(disk_id))

    def snapshot(self, snapshot_id):
        """One snapshot that is there."""
        found = self.call("DescribeSnapshots", SnapshotIds=json.dumps([snapshot_id]))
        return found.snapshots.snapshot[0]

    def delete_when_ready(self, disk_id):
        """Deletes a disk that may still be under way."""
        self.settled(disk_id, "Available")
        self.call("DeleteDisk", DiskId=disk_id)


def tags_of(resource):
    """Tags go out as Key and Value, and come back as TagKey and TagValue."""
    return {tag.tag_key: tag.tag_value for tag in resource.tags.tag}
