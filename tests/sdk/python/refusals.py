"""Who is not let in, and how the SDK tells: the same sentences for every SDK and signature."""

from datetime import datetime, timedelta, timezone
from dataclasses import replace

from cloud import CUT, DISTRUSTED, OTHER_CA, Stamp, refused, unreached
from report import equal


def run(report, kind, emulator):
    """All but certificates, which come before anything else; `kind` makes clients."""
    keys(report, kind, emulator)
    temporary_keys(report, kind, emulator)
    stamps(report, kind, emulator)
    faults(report, kind(emulator, ca=emulator.ca), emulator)
    signatures(report, kind, emulator)


def keys(report, kind, emulator):
    wrong = replace(emulator.access, secret="wrong")
    with report.check(f"a wrong secret is {kind.wrong_secret}"):
        with refused(kind.wrong_secret, 400):
            kind(emulator, access=wrong, ca=emulator.ca).call("DescribeDisks")
    unknown = replace(emulator.access, key_id="nobody")
    with report.check("an unknown key is InvalidAccessKeyId.NotFound"):
        with refused("InvalidAccessKeyId.NotFound", 404):
            kind(emulator, access=unknown, ca=emulator.ca).call("DescribeDisks")


def temporary_keys(report, kind, emulator):
    def send(key, **other):
        kind(emulator, access=replace(key, **other), ca=emulator.ca).call("DescribeDisks")

    own, another = emulator.temporary_key(3600), emulator.temporary_key(3600)
    with report.check("a temporary key with its security token is let in"):
        send(own)
    with report.check("a temporary key without its security token is refused"):
        with refused("MissingSecurityToken", 400):
            send(own, token=None)
    with report.check("a temporary key with another's security token is refused"):
        with refused("InvalidSecurityToken.MismatchWithAccessKey", 400):
            send(own, token=another.token)
    with report.check("a temporary key whose time is over is refused"):
        with refused("InvalidSecurityToken.Expired", 400):
            send(emulator.temporary_key(0))
    with report.check("a security token that nobody issued is refused"):
        with refused("InvalidSecurityToken.Malformed", 400):
            send(own, token="invented")


def stamps(report, kind, emulator):
    def send(**stamp):
        kind(emulator, ca=emulator.ca, stamp=Stamp(**stamp)).call("DescribeDisks")

    for minutes in (-16, 16):
        with report.check(f"a clock that is {abs(minutes)} minutes {late_or_early(minutes)} is refused"):
            with refused("InvalidTimeStamp.Expired", 400):
                send(date=minutes_from_now(minutes))
    with report.check("a clock that is 14 minutes late is close enough"):
        send(date=minutes_from_now(-14))
    with report.check("a nonce is good once"):
        send(nonce="once")
        with refused("SignatureNonceUsed", 400):
            send(nonce="once")


def late_or_early(minutes):
    return "late" if minutes < 0 else "early"


def minutes_from_now(minutes):
    """A time as requests carry it."""
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def certificates(report, kind, emulator):
    """To be asked first: once the second generation was given a CA, its whole process trusts that CA."""
    for what, ca in (("without the emulator's CA", None), ("with another CA", OTHER_CA)):
        with report.check(f"{what} the SDK refuses the handshake and sends nothing"):
            before = len(emulator.requests())
            with unreached(DISTRUSTED):
                kind(emulator, ca=ca).call("DescribeDisks")
            equal(len(emulator.requests()), before)


def faults(report, client, emulator):
    with report.check("throttling is an error with the code that says so"):
        emulator.fault(action="DescribeDisks", kind="throttling")
        with refused("Throttling.User", 400):
            client.call("DescribeDisks")
        client.call("DescribeDisks")
    with report.check("a failure inside the cloud is an error with its status and code"):
        emulator.fault(action="DescribeDisks", kind="error-before")
        with refused("InternalError", 500):
            client.call("DescribeDisks")
    with report.check("a connection that is cut is no answer, and no refusal"):
        emulator.fault(action="DescribeDisks", kind="cut-before")
        with unreached(CUT):
            client.call("DescribeDisks")
    with report.check("an answer that got lost leaves a disk, which the token finds again"):
        emulator.fault(action="CreateDisk", kind="lost-reply")
        wanted = {"ZoneId": emulator.zone, "DiskCategory": "cloud_essd", "Size": 20}
        wanted |= {"DiskName": "lost", "ClientToken": "n:lost"}
        with unreached(CUT):
            client.call("CreateDisk", **wanted)
        again = client.call("CreateDisk", **wanted).disk_id
        found = client.call("DescribeDisks", DiskName="lost").disks.disk
        equal([disk.disk_id for disk in found], [again])
    emulator.clear_faults()


def signatures(report, kind, emulator):
    """Seen by the emulator, so that no check above holds for another signature than it should."""
    with report.check(f"every request was signed by signature {kind.signature} and sent by POST"):
        seen = {(request["signature"], request["method"]) for request in emulator.requests()}
        equal(seen, {(kind.signature, "POST")})
