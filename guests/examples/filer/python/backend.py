"""filer: volumes of a small storage appliance, by its HTTP API. On a node they are directories of what it exports.

This file has what the host calls, one class for each interface of the contract in wit/; each call gets a fresh instance,
so that nothing is kept here. What is asked of the filer is in api.py, with tests.
"""

import functools
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import identity, node
from wit_world.imports import https, log, mounts, secret_requests, secrets, types

import api

# Of a volume's directory: pods run as whoever they like.
MODE = 0o777


def told(function):
    """Whatever is raised and is no condition is a bug, and would be a trap that says nothing: it is logged and told."""

    @functools.wraps(function)
    def wrapped(*arguments):
        try:
            return function(*arguments)
        except Err:
            raise
        except Exception as error:
            log.write(log.Level.ERROR, f"{function.__name__}: {error!r}, {where(error)}")
            raise Err(types.Error_Internal(f"{function.__name__}: {error!r}")) from error

    return wrapped


def where(error: BaseException) -> str:
    """Innermost last. The module traceback would look for the sources, and there are no files."""
    lines, at = [], error.__traceback__
    while at is not None:
        lines.append(f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}")
        at = at.tb_next
    return " > ".join(lines)


class Identity(exports.Identity):
    def describe(self) -> identity.Description:
        return identity.Description("filer", "0.1.0", "volumes of a filer, by its API", [])


class Controller(exports.Controller):
    @told
    def create_volume(self, request: types.CreateRequest) -> types.VolumeInfo:
        refuse_block(request.capabilities)
        return info(api.create(send, api.id_for(request.name), request.capacity))

    @told
    def delete_volume(self, id: str) -> None:
        api.delete(send, id)

    @told
    def validate_volume(self, volume: types.Volume, capabilities: list[types.VolumeCapability]) -> None:
        api.find(send, volume.id)
        refuse_block(capabilities)

    @told
    def get_volume(self, id: str) -> types.VolumeInfo:
        return info(api.find(send, id))


class Expansion(exports.Expansion):
    @told
    def expand_volume(self, volume: types.Volume, capacity: types.CapacityRange) -> int:
        return api.grow(send, volume.id, capacity)


class Node(exports.Node):
    @told
    def get_info(self) -> node.NodeInfo:
        """The host's name for this node will do, and there is no limit of volumes."""
        return node.NodeInfo(id="", max_volumes=0)

    @told
    def stage_volume(self, request: node.StageRequest, target: mounts.Target) -> None:
        """The filer makes a volume, and removes it with what is in it; its directory appears when it is first mounted."""
        refuse_choices(request.kind)
        api.find(send, request.volume.id)
        exported = mounts.open_directory("exports")
        try:
            exported.mkdir(request.volume.id, MODE)
        except Err as error:
            if not isinstance(error.value, types.Error_AlreadyExists):
                raise
        target.bind(exported, request.volume.id)

    @told
    def get_health(self, volume: types.Volume) -> node.Health:
        """Asked without the Secret, so by the directory alone."""
        try:
            if api.is_id(volume.id) and mounts.open_directory("exports").stat(volume.id).kind == "directory":
                return node.Health_Ok()
        except Err as error:
            if not isinstance(error.value, types.Error_NotFound):
                raise
        return node.Health_Inaccessible(f"the filer exports no directory of volume {volume.id} here")


def send(method: str, path: str, body: dict | None) -> tuple[int, str]:
    """The token is a handle: what it stands for is added to the request by the host."""
    headers, content = [], b""
    if body is not None:
        headers, content = [("content-type", "application/json")], json.dumps(body).encode()
    request = https.Request(method=method, path=path, query=[], headers=headers, body=content)
    authorization = secret_requests.SecretHeader(name="authorization", prefix="Bearer ", secret=token())
    answer = secret_requests.send(https.open_endpoint("api"), request, [authorization], None)
    return answer.status, answer.body.decode(errors="replace")


def token() -> secrets.Secret:
    """Not to be taken for a volume that is not there."""
    try:
        return secrets.open_secret("token")
    except Err as error:
        if not isinstance(error.value, types.Error_NotFound):
            raise
        raise Err(types.Error_FailedPrecondition(
            "no token came with this call; name its Secret in the StorageClass")) from None


def info(volume: api.Volume) -> types.VolumeInfo:
    return types.VolumeInfo(
        id=volume.id,
        capacity_bytes=volume.bytes,
        context=[],
        source=None,
        accessible_topology=[],
        published_node_ids=[],
    )


def refuse_block(capabilities) -> None:
    if any(isinstance(capability.kind, types.AccessType_Block) for capability in capabilities):
        raise Err(types.Error_Unsupported("a volume is a directory and cannot be a block device"))


def refuse_choices(kind: types.AccessType) -> None:
    """What would be ignored is refused."""
    if isinstance(kind, types.AccessType_Block):
        raise Err(types.Error_Unsupported("a volume is a directory and cannot be a block device"))
    chosen = [choice for choice in [kind.value.fs_type, *kind.value.mount_options] if choice]
    if chosen:
        raise Err(types.Error_InvalidArgument(
            f"{' '.join(chosen)}: a volume is a directory and has what its filer has; write none"))
