"""What becomes of a volume: a directory of the pool, whose name is the volume's id.

The pool is the host's directory, or a fake one in tests/. Every function may be called again after a lost answer, and then
finds what it did.
"""

import hashlib
import re

from componentize_py_types import Err
from wit_world.imports import types

# In bytes; a volume's id may have no more.
LONGEST = 128

# One directory, neither hidden nor elsewhere.
ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def create(pool, name: str, mode: int) -> str:
    """Make the volume for a claim, unless it is there: its id."""
    volume = id_for(name)
    pool.mkdir(volume, mode)
    return volume


def delete(pool, volume: str) -> None:
    """Remove the volume with all that is in it. What `create` cannot have made is not there."""
    if is_id(volume):
        pool.remove_tree(volume)


def require(pool, volume: str) -> None:
    """`not-found` unless the volume is there. An id may be what a person wrote."""
    if not is_id(volume):
        raise Err(types.Error_InvalidArgument(
            f'volume "{volume}": write the name of one directory of the pool, not beginning with a dot'))
    try:
        kind = pool.stat(volume).kind
    except Err as error:
        if not isinstance(error.value, types.Error_NotFound):
            raise
        kind = None
    if kind != "directory":
        raise Err(types.Error_NotFound(f"the pool has no volume {volume}"))


def mode(written: str | None) -> int:
    """Permission bits as a class says them."""
    written = "0755" if written is None else written
    if re.fullmatch(r"[0-7]{1,4}", written):
        return int(written, 8)
    raise Err(types.Error_InvalidArgument(f'mode "{written}": write octal digits, as 0755'))


def id_for(name: str) -> str:
    """Letters, digits, dots and dashes stay as they are, all others become their bytes. What is too long then is cut,
    and ends with `_.`, which else none has, and the SHA-256 of the name. So no two names get one id.
    """
    if name == "":
        raise Err(types.Error_InvalidArgument("a volume without a name has no id; write one"))
    volume = "".join(_written(byte, at) for at, byte in enumerate(name.encode()))
    if len(volume) <= LONGEST:
        return volume
    end = f"_.{hashlib.sha256(name.encode()).hexdigest()}"
    return volume[: LONGEST - len(end)] + end


def is_id(volume: str) -> bool:
    return len(volume) <= LONGEST and ID.fullmatch(volume) is not None


def _written(byte: int, at: int) -> str:
    stays = r"[A-Za-z0-9-]" if at == 0 else r"[A-Za-z0-9.-]"
    letter = chr(byte)
    return letter if re.fullmatch(stays, letter) else f"_{byte:02x}"
