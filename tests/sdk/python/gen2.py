"""The second SDK generation for Python: signatures of version 3, or with `v2` the older HMAC-SHA1.

The SDK's name for the older signature counts otherwise than the wire does, which calls it 1.0.
"""

import re
import sys

from alibabacloud_credentials.models import Config as CredentialConfig
from alibabacloud_credentials.client import Client as Credential
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ThrottlingException
from alibabacloud_tea_openapi.utils_models import Config, GlobalParameters
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

import lifecycle
import refusals
from cloud import Refused, Stamp, Unreached
from emulator import TIMEOUT_SECONDS, Emulator
from report import Report, equal


class Gen2:
    """The client, called by the wire's names; answers are the SDK's own models."""

    signature = "v3"
    wrong_secret = "SignatureDoesNotMatch"
    algorithm = None

    def __init__(self, emulator, access=None, ca=None, stamp=Stamp(), credential=None):
        config = Config(
            endpoint=emulator.host,
            protocol="https",
            region_id=emulator.region,
            credential=credential or fixed(access or emulator.access),
            ca=ca,
            connect_timeout=TIMEOUT_SECONDS * 1000,
            read_timeout=TIMEOUT_SECONDS * 1000,
            signature_algorithm=self.algorithm,
            global_parameters=self.stamped(stamp),
        )
        self._region = emulator.region
        self._client = Client(config)

    def call(self, action, **parameters):
        """Sends one action and answers its model."""
        model = getattr(models, f"{action}Request")
        if "region_id" in vars(model()):
            parameters["RegionId"] = self._region
        send = getattr(self._client, f"{snake(action)}_with_options")
        try:
            return send(model().from_map(parameters), RuntimeOptions()).body
        except AlibabaCloudException as error:
            raise Refused(error.status_code, error.code, error.message) from error
        except (UnretryableException, OSError) as error:
            raise Unreached(str(error)) from error

    @staticmethod
    def stamped(stamp):
        """Headers, which the SDK lets its callers set."""
        names = {"x-acs-date": stamp.date, "x-acs-signature-nonce": stamp.nonce}
        return GlobalParameters(headers={name: text for name, text in names.items() if text})


class Gen2SigningAsGen1(Gen2):
    """The same with everything in the query."""

    signature = "v1"
    algorithm = "v2"

    @staticmethod
    def stamped(stamp):
        names = {"Timestamp": stamp.date, "SignatureNonce": stamp.nonce}
        return GlobalParameters(queries={name: text for name, text in names.items() if text})


def fixed(access):
    """A credential that never changes."""
    kind = "sts" if access.token else "access_key"
    config = CredentialConfig(
        type=kind,
        access_key_id=access.key_id,
        access_key_secret=access.secret,
        security_token=access.token,
    )
    return Credential(config)


def snake(name):
    """`CreateDisk` as `create_disk`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def models_are_typed(report, client):
    """Both lists, the empty one too, arrive as the SDK's own models."""
    with report.check("the answer is the SDK's own model, down to the list"):
        seen = client.call("DescribeDisks", DiskIds="[]")
        equal(type(seen), models.DescribeDisksResponseBody)
        equal(type(seen.disks), models.DescribeDisksResponseBodyDisks)


def throttling_is_told_apart(report, client, emulator):
    """The SDK has an exception of its own for throttling that says how long to wait."""
    with report.check("throttling that says how long to wait is the SDK's ThrottlingException"):
        emulator.fault(action="DescribeDisks", kind="throttling", millis=1500)
        try:
            client.call("DescribeDisks")
        except Refused as refusal:
            equal(type(refusal.__cause__), ThrottlingException)
            equal(refusal.__cause__.retry_after, 1500)
        else:
            raise AssertionError("expected throttling, got success")


def main(arguments):
    kind = Gen2SigningAsGen1 if arguments == ["v2"] else Gen2
    report, emulator = Report(), Emulator()
    refusals.certificates(report, kind, emulator)
    client = kind(emulator, ca=emulator.ca)
    lifecycle.run(report, client, emulator)
    refusals.run(report, kind, emulator)
    models_are_typed(report, client)
    throttling_is_told_apart(report, client, emulator)
    return report.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
