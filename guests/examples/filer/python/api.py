"""The filer's API: JSON over HTTPS, for whoever has the account's token. Volumes have names that the client chooses.

`send` is the host's way to the filer, or a fake one in tests/: it gets method, path and body, and returns status and text.
"""

import hashlib
import json
import re
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world.imports import types

GIB = 1024**3

# JSON's numbers are exact up to there in every language.
LARGEST = 2**53 - 1

# In bytes; a volume's id may have no more.
LONGEST = 128

ID = re.compile(r"[a-z0-9_-]+")

CONDITIONS = {
    400: types.Error_InvalidArgument,
    401: types.Error_Denied,
    403: types.Error_Denied,
    404: types.Error_NotFound,
    409: types.Error_FailedPrecondition,
    423: types.Error_InProgress,
    429: types.Error_Unavailable,
    507: types.Error_Exhausted,
}


@dataclass
class Volume:
    id: str
    bytes: int


def create(send, volume: str, capacity: types.CapacityRange) -> Volume:
    """Make a volume of that size, unless it is there. The filer answers 409 where it is there with another size."""
    status, text = send("PUT", path(volume), {"bytes": size_within(capacity)})
    if status != 409:
        return read(f"make volume {volume}", status, text)
    there = find(send, volume)
    if fits(there.bytes, capacity):
        return there
    raise Err(types.Error_AlreadyExists(f"volume {volume} is there already, with {there.bytes} bytes"))


def delete(send, volume: str) -> None:
    if not is_id(volume):
        return
    status, _ = send("DELETE", path(volume), None)
    if status != 404:
        expect(f"delete volume {volume}", status)


def find(send, volume: str) -> Volume:
    return read(f"look at volume {volume}", *send("GET", path(volume), None))


def grow(send, volume: str, capacity: types.CapacityRange) -> int:
    """Sizes only grow. What is large enough stays as it is."""
    there = find(send, volume)
    if there.bytes < (capacity.required_bytes or 0):
        answer = send("PATCH", path(volume), {"bytes": size_within(capacity)})
        return read(f"grow volume {volume}", *answer).bytes
    if fits(there.bytes, capacity):
        return there.bytes
    raise Err(types.Error_OutOfRange(f"volume {volume} has {there.bytes} bytes already, and cannot shrink"))


def id_for(name: str) -> str:
    """Small letters, digits and dashes stay as they are, all other bytes become numbers. What is too long then is cut, and
    ends with `_x`, which else none has, and the SHA-256 of the name. So no two names get one id."""
    if name == "":
        raise Err(types.Error_InvalidArgument("a volume without a name has no id; write one"))
    volume = "".join(chr(byte) if re.fullmatch(r"[a-z0-9-]", chr(byte)) else f"_{byte:02x}" for byte in name.encode())
    if len(volume) <= LONGEST:
        return volume
    end = "_x" + hashlib.sha256(name.encode()).hexdigest()
    return volume[: LONGEST - len(end)] + end


def is_id(volume: str) -> bool:
    """It may be what a person wrote into a PersistentVolume."""
    return len(volume) <= LONGEST and ID.fullmatch(volume) is not None


def path(volume: str) -> str:
    if is_id(volume):
        return f"/volumes/{volume}"
    raise Err(types.Error_InvalidArgument(
        f'volume "{volume}": the filer has names of small letters, digits, - and _'))


def size_within(capacity: types.CapacityRange) -> int:
    """The filer counts in GiB."""
    size = max(1, -(-(capacity.required_bytes or GIB) // GIB)) * GIB
    most = LARGEST if capacity.limit_bytes is None else min(LARGEST, capacity.limit_bytes)
    if size <= most:
        return size
    raise Err(types.Error_OutOfRange(
        f"{size} bytes in whole GiB are more than {most}; ask for less, or for whole GiB"))


def fits(size: int, capacity: types.CapacityRange) -> bool:
    limit = size if capacity.limit_bytes is None else capacity.limit_bytes
    return (capacity.required_bytes or 0) <= size <= limit


def read(what: str, status: int, text: str) -> Volume:
    expect(what, status)
    try:
        said = json.loads(text)
        volume, size = said["id"], said["bytes"]
    except (ValueError, TypeError, KeyError):
        volume, size = "", None
    if not isinstance(volume, str) or not is_id(volume) or type(size) is not int or not 0 <= size <= LARGEST:
        raise Err(types.Error_Internal(f"{what}: the filer answered with what is no volume"))
    return Volume(volume, size)


def expect(what: str, status: int) -> None:
    if 200 <= status < 300:
        return
    condition = CONDITIONS.get(status, types.Error_Unavailable if status >= 500 else types.Error_Internal)
    cure = "; look at the token in the StorageClass's Secret" if condition is types.Error_Denied else ""
    raise Err(condition(f"{what}: the filer answered {status}{cure}"))
