"""What may already be at the destination, and whether it is in the way, to be replaced, or this very result."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, special_file

if TYPE_CHECKING:
    from collections.abc import Collection

    from fsspec import AbstractFileSystem

    from airflow_provider_batchdl.transfer.destination import Destination

IfExists = Literal["replace", "error", "skip"]
OnEmpty = Literal["fail", "skip", "land"]


def checked_policy(if_exists: str) -> IfExists:
    """``if_exists``, which is one of the three.

    Raises:
        InvalidRequestError: it is not.
    """
    return _one_of(IfExists, "if_exists", if_exists)  # type: ignore[no-any-return]


def checked_on_empty(on_empty: str) -> OnEmpty:
    """``on_empty``, which is one of the three.

    Raises:
        InvalidRequestError: it is not.
    """
    return _one_of(OnEmpty, "on_empty", on_empty)  # type: ignore[no-any-return]


def refuse_unusable(place: Destination) -> None:
    """Nothing, unless a local destination is what no file can have the name of: asked before a job is paid for.

    Raises:
        DestinationError: it is a FIFO, a device or a socket, or a link to one; a folder, and not written as one; or a
            file, and written as a folder.
    """
    if not is_local(place.fs):
        return
    path = place.fs._strip_protocol(place.path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 a path of the file system's
    except (OSError, ValueError):
        return  # nothing is there, or the sink tells what is wrong
    if place.is_folder:
        if not stat.S_ISDIR(mode):
            raise destination_error(place.uri, "write", NotADirectoryError(errno.ENOTDIR, "it is no folder"))
    elif stat.S_ISDIR(mode):
        raise destination_error(place.uri, "write", IsADirectoryError(errno.EISDIR, "the destination is a folder"))
    elif not stat.S_ISREG(mode):
        raise special_file(place.uri)


def refuse_existing(place: Destination) -> None:
    """Nothing, where nothing is at ``place``.

    Raises:
        DestinationError: an object is there, or the store does not tell.
    """
    try:
        found = _exists(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(place.uri, "see whether something is there", error) from None
    if found:
        raise already_there(place.uri)


def refuse_all_existing(destination: Destination, parts: Collection[int | None], *, manifest: bool) -> None:
    """Nothing, where nothing is at any name that is known before the first file is asked for.

    Args:
        destination: where the result goes.
        parts: the numbers of its files; none for an empty result.
        manifest: whether it gets a manifest.

    Raises:
        DestinationError: an object is there, or the store does not tell.
    """
    if manifest:
        refuse_existing(destination.manifest())
    if not destination.is_folder:
        for part in parts or (None,):
            refuse_existing(destination.part(part, ""))


def is_local(fs: AbstractFileSystem) -> bool:
    """Whether it is the local disk."""
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)


def _one_of(kind: Any, name: str, value: str) -> Any:
    if value not in get_args(kind):
        raise InvalidRequestError(f"{name}={value!r} is unknown.", remedy=f"Use one of {', '.join(get_args(kind))}.")
    return value


def _exists(fs: AbstractFileSystem, path: str) -> bool:
    if is_local(fs):
        # A link that leads nowhere is something, too. A folder is told by the sink, in its own words.
        local = fs._strip_protocol(path)
        return os.path.lexists(local) and not os.path.isdir(local)  # noqa: PTH112 a path of the file system's
    return object_info(fs, path) is not None


def object_info(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """What the store, not its cache, says of the object; None where there is none."""
    fs.invalidate_cache(path.rpartition("/")[0])
    try:
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError:
        return None
    # To an object store, a prefix with objects below it is no object.
    return None if info.get("type") == "directory" else info
