"""The SDK's own ways to temporary keys: a pod's token at STS, and an instance's role.

Takes the emulator's CA from the environment: the package that asks STS has no setting for it. The role's
address is fixed in the SDK, so the emulator has to be at it.
"""

import logging
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from alibabacloud_credentials.client import Client as Credential
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.models import Config

from emulator import TIMEOUT_SECONDS, Emulator
from gen2 import Gen2
from report import Report, equal, holds

TIMEOUTS = {"connect_timeout": TIMEOUT_SECONDS * 1000, "timeout": TIMEOUT_SECONDS * 1000}

ROLE = "acs:ram::1135115445850001:role/drivebay"
PROVIDER = "acs:ram::1135115445850001:oidc-provider/cluster"


def pods_token(report, emulator, directory):
    emulator.set(oidc_token="a.pod's.token")
    with report.check("STS gives a key for a pod's token"):
        key = ask_sts(emulator, directory, "a.pod's.token").get_credential()
        equal(key.provider_name, "oidc_role_arn")
        holds(all([key.access_key_id, key.access_key_secret, key.security_token]), key)
    with report.check("the SDK asks STS by GET, with no signature"):
        asked = emulator.requests()[-1]
        equal((asked["action"], asked["method"]), ("AssumeRoleWithOIDC", "GET"))
        equal(asked["signature"], "none")
    with report.check("a key from STS signs requests to ECS"):
        used(emulator, ask_sts(emulator, directory, "a.pod's.token"))
    with report.check("STS gives no key for another token"):
        with no_key("AuthenticationFail"):
            ask_sts(emulator, directory, "another.token").get_credential()


def ask_sts(emulator, directory, token):
    """A credential that exchanges this token for a key once it is needed."""
    file = Path(directory) / "token"
    file.write_text(token, encoding="ascii")
    config = Config(
        type="oidc_role_arn",
        role_arn=ROLE,
        oidc_provider_arn=PROVIDER,
        oidc_token_file_path=str(file),
        role_session_name="drivebay",
        sts_endpoint=emulator.host,
        **TIMEOUTS,
    )
    return Credential(config)


def instances_role(report, emulator):
    with report.check("the metadata service gives the key of the instance's role, with a token only"):
        key = role().get_credential()
        equal(key.provider_name, "ecs_ram_role")
        holds(all([key.access_key_id, key.access_key_secret, key.security_token]), key)
    with report.check("a key of the instance's role signs requests to ECS"):
        used(emulator, role())
    with report.check("an instance without a role has no key"):
        emulator.set(role="")
        with no_key("404"):
            role().get_credential()


def role():
    """The instance's role; the older way without a token is not tried."""
    return Credential(Config(type="ecs_ram_role", disable_imds_v1=True, **TIMEOUTS))


def used(emulator, credential):
    """Lists disks with this credential; the last request is then one with a security token."""
    Gen2(emulator, credential=credential, ca=emulator.ca).call("DescribeDisks")
    equal(emulator.requests()[-1]["status"], 200)


@contextmanager
def no_key(reason):
    """What is done here has to fail to get a key, for this reason."""
    try:
        yield
    except CredentialException as error:
        holds(reason in str(error), str(error))
    else:
        raise AssertionError("expected no key, got one")


def main():
    # The SDK logs every refusal with its trace, several times; the checks say what matters of it.
    logging.disable(logging.CRITICAL)
    report, emulator = Report(), Emulator()
    with tempfile.TemporaryDirectory() as directory:
        pods_token(report, emulator, directory)
    instances_role(report, emulator)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
