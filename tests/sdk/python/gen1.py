"""The first SDK generation for Python, which signs by HMAC-SHA1 and puts everything in the query."""

import json
import re
import sys
from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace
from unittest import mock

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.http import protocol_type
from aliyunsdkcore.utils import parameter_helper

import lifecycle
import refusals
import retries
from cloud import Refused, Stamp, Unreached
from emulator import TIMEOUT_SECONDS, Emulator
from report import Report


class Gen1:
    """The client, with requests and answers in the wire's words made the same as the other generation's."""

    signature = "v1"
    # Its own word, used only if the string that the server says it signed is the string it signed itself.
    wrong_secret = "InvalidAccessKeySecret"

    def __init__(self, emulator, access=None, ca=None, stamp=Stamp(), auto_retry=False):
        access = access or emulator.access
        self._host = emulator.host
        self._stamp = stamp
        # Without a CA of its own it trusts those that come with the SDK.
        verify = {} if ca is None else {"verify": ca}
        self._client = AcsClient(
            access.key_id,
            access.secret,
            emulator.region,
            auto_retry=auto_retry,
            connect_timeout=TIMEOUT_SECONDS,
            timeout=TIMEOUT_SECONDS,
            **verify,
        )
        self._token = access.token

    def call(self, action, **parameters):
        """Sends one action and answers its fields."""
        request = build(action, parameters)
        request.set_endpoint(self._host)
        # Its own default is plain HTTP.
        request.set_protocol_type(protocol_type.HTTPS)
        if self._token is not None:
            request.add_query_param("SecurityToken", self._token)
        try:
            with stamped(self._stamp):
                answer = self._client.do_action_with_exception(request)
        except ServerException as error:
            status, code = error.get_http_status(), error.get_error_code()
            raise Refused(status, code, error.get_error_msg()) from error
        except ClientException as error:
            raise Unreached(str(error)) from error
        return fields(json.loads(answer))


def build(action, parameters):
    """The SDK's own request of this name, filled by its own setters."""
    module = import_module(f"aliyunsdkecs.request.v20140526.{action}Request")
    request = getattr(module, f"{action}Request")()
    for name, value in parameters.items():
        plural = "s" if isinstance(value, list) else ""
        getattr(request, f"set_{name}{plural}")(value)
    return request


def stamped(stamp):
    """The SDK offers no way to set these; it asks two functions, which answer otherwise here."""
    answers = {"get_iso_8061_date": stamp.date, "get_uuid": stamp.nonce}
    asked = {name: lambda answer=answer: answer for name, answer in answers.items() if answer}
    if not asked:
        return nullcontext()
    return mock.patch.multiple(parameter_helper, **asked)


def fields(value):
    """JSON as objects with fields named as the second generation names them."""
    if isinstance(value, list):
        return [fields(item) for item in value]
    if isinstance(value, dict):
        return SimpleNamespace(**{snake(name): fields(item) for name, item in value.items()})
    return value


def snake(name):
    """`DiskId` as `disk_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def main():
    report, emulator = Report(), Emulator()
    refusals.certificates(report, Gen1, emulator)
    lifecycle.run(report, Gen1(emulator, ca=emulator.ca), emulator)
    refusals.run(report, Gen1, emulator)
    retries.run(report, Gen1, emulator)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
