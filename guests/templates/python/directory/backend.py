"""{{name}}: volumes are directories of a pool, which is a directory of the node that the operator granted.

This file has what the host calls, one class for each interface of the contract in wit/; each call gets a fresh instance,
so that nothing is kept here. What becomes of a volume is in volumes.py, with tests.
"""

import functools

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import identity, node
from wit_world.imports import log, mounts, types

import volumes


def pool():
    """The directory that the operator's file grants under that name."""
    return mounts.open_directory("pool")


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
        mode = identity.Parameter(
            name="mode",
            scope="storage-class",
            required=False,
            default="0755",
            description="Permission bits of a volume's directory, in octal.",
        )
        return identity.Description("{{name}}", "0.1.0", "directories of a pool", [mode])


class Controller(exports.Controller):
    @told
    def create_volume(self, request: types.CreateRequest) -> types.VolumeInfo:
        refuse_block(request.capabilities)
        mode = volumes.mode(dict(request.parameters).get("mode"))
        volume = volumes.create(pool(), request.name, mode)
        log.write(log.Level.INFO, f"volume {volume} is there")
        return info(volume)

    @told
    def delete_volume(self, id: str) -> None:
        volumes.delete(pool(), id)

    @told
    def validate_volume(self, volume: types.Volume, capabilities: list[types.VolumeCapability]) -> None:
        volumes.require(pool(), volume.id)
        refuse_block(capabilities)

    @told
    def get_volume(self, id: str) -> types.VolumeInfo:
        volumes.require(pool(), id)
        return info(id)


class Node(exports.Node):
    @told
    def get_info(self) -> node.NodeInfo:
        """The host's name for this node will do, and there is no limit of volumes."""
        return node.NodeInfo(id="", max_volumes=0)

    @told
    def stage_volume(self, request: node.StageRequest, target: mounts.Target) -> None:
        """The host has made the target, and binds, remounts and unmounts; it also remembers what it mounted."""
        refuse_choices(request.kind)
        directory = pool()
        volumes.require(directory, request.volume.id)
        target.bind(directory, request.volume.id)

    @told
    def get_health(self, volume: types.Volume) -> node.Health:
        try:
            volumes.require(pool(), volume.id)
            return node.Health_Ok()
        except Err as error:
            if not isinstance(error.value, types.Error_NotFound):
                raise
            return node.Health_Inaccessible(error.value.value)


def info(volume: str) -> types.VolumeInfo:
    """A directory has no size of its own: Kubernetes takes 0 for what the claim asked for."""
    return types.VolumeInfo(
        id=volume,
        capacity_bytes=0,
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
    chosen = [kind.value.fs_type] * bool(kind.value.fs_type) + kind.value.mount_options
    if chosen:
        raise Err(types.Error_InvalidArgument(
            f"{', '.join(chosen)}: a volume is a directory and has what its pool has; write none"))
