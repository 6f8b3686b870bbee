"""The emulator that `cargo xtask test` has started for this client: where it is, and its control port."""

import json
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

# For connecting and for reading. Some of the SDKs' own limits are a second, which a busy machine passes.
TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Access:
    """What a client signs with; a token goes with temporary keys alone."""

    key_id: str
    secret: str
    token: str | None = None


class Emulator:
    """Where the emulator is, as it said itself when it was ready."""

    def __init__(self):
        ready = json.loads(os.environ["ECS_EMULATOR"])
        self.host = urlsplit(ready["ecs"]).netloc
        self.ca = ready["ca"]
        self.region = ready["region"]
        self.zone = ready["zone"]
        self.instance = ready["instance"]
        self.other_instance = os.environ["ECS_OTHER_INSTANCE"]
        secret = Path(ready["secret_file"]).read_text(encoding="ascii").strip()
        self.access = Access(ready["access_key_id"], secret)
        self._control = ready["control"]

    def fault(self, **order):
        """Orders a fault."""
        self._ask("POST", "/faults", order)

    def clear_faults(self):
        """Takes back what was ordered and has not struck."""
        self._ask("DELETE", "/faults")

    def set(self, **settings):
        """Changes how the emulated cloud behaves."""
        self._ask("POST", "/settings", settings)

    def step(self):
        """Ends all that is under way, once; for when the pace is held."""
        self._ask("POST", "/step")

    def requests(self):
        """Every request that was read so far, with its signature's version and its method."""
        return json.loads(self._ask("GET", "/requests"))["last"]

    def temporary_key(self, seconds):
        """A key as STS issues them, without the way through STS."""
        key = json.loads(self._ask("POST", "/credentials", {"seconds": seconds}))
        return Access(key["AccessKeyId"], key["AccessKeySecret"], key["SecurityToken"])

    def _ask(self, method, path, content=None):
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._control + path, data=body, method=method)
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.read()
