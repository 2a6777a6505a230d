"""What may already be at the destination, and whether it is in the way, to be replaced, or this very result."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error

if TYPE_CHECKING:
    from collections.abc import Collection

    from fsspec import AbstractFileSystem

    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

IfExists = Literal["replace", "error", "skip"]

# A manifest has some 500 bytes for each part; what is larger than this is none of ours.
LARGEST_MANIFEST = 16 << 20


def checked_policy(if_exists: str) -> IfExists:
    """``if_exists``, which is one of the three.

    Raises:
        InvalidRequestError: it is not.
    """
    for known in get_args(IfExists):
        if if_exists == known:
            return known  # type: ignore[no-any-return]
    raise InvalidRequestError(
        f"if_exists={if_exists!r} is unknown.", remedy="Use one of " + ", ".join(get_args(IfExists)) + "."
    )


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


def recorded_landing(place: Destination, *, vendor: str, job_id: str, parts: Collection[int | None]) -> Landing | None:
    """The landing that the manifest at the destination records, where it is this job's and still holds.

    It does where the manifest names this job, all of its parts, each at the place where it would go today, and every
    object has the recorded size and was last written before the manifest, which comes last.

    Args:
        place: the destination.
        vendor: the vendor's name.
        job_id: the vendor's id of the job.
        parts: the numbers of the job's files; None is that of a single file.

    Returns:
        The landing; None where anything is missing, differs or cannot be read: then only a transfer tells.
    """
    manifest = place.manifest()
    try:
        landing = _read(manifest)
        if landing is None or (landing.vendor, landing.job_id) != (vendor, job_id):
            return None
        if not parts or sorted(map(str, parts)) != sorted(str(file.part) for file in landing.files):
            return None
        written = manifest.fs.modified(manifest.path)
        for file in landing.files:
            name = file.source_name or ""
            there = place.part(file.part, name)
            if "/" in name or there.uri != file.uri:
                return None
            info = _info(there.fs, there.path)
            # An object written after the manifest is another job's, whatever its size.
            if info is None or info.get("size") != file.bytes or there.fs.modified(there.path) > written:
                return None
    except Exception as error:  # noqa: BLE001  a store that does not let us look, a manifest that is none
        log.info("What is at %s cannot be compared with the result: %s.", place.uri, type(error).__name__)
        return None
    return landing


def _read(manifest: Destination) -> Landing | None:
    info = _info(manifest.fs, manifest.path)
    if info is None or not 0 < (info.get("size") or 0) <= LARGEST_MANIFEST:
        return None
    return Landing.from_dict(json.loads(manifest.fs.cat_file(manifest.path)))


def _exists(fs: AbstractFileSystem, path: str) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(fs, LocalFileSystem):
        # A link that leads nowhere is something, too. A folder is told by the sink, in its own words.
        local = fs._strip_protocol(path)
        return os.path.lexists(local) and not os.path.isdir(local)  # noqa: PTH112 a path of the file system's
    return _info(fs, path) is not None


def _info(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """What the store, not its cache, says of the object; None where there is none."""
    fs.invalidate_cache(path.rpartition("/")[0])
    try:
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError:
        return None
    # To an object store, a prefix with objects below it is no object.
    return None if info.get("type") == "directory" else info
