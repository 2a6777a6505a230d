"""The manifest of a result: written last, and removed first when the result is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import LandedFile, Landing, is_kind
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from airflow_provider_batchdl.transfer.sinks.stores import remove_object
from airflow_provider_batchdl.transfer.source.filenames import folded, safe_filename

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# A manifest has some 500 bytes for each part; a larger object is not one of ours.
LARGEST_MANIFEST = 16 << 20


@dataclass(frozen=True)
class Record:
    """An existing manifest."""

    landing: Landing | None  # None where it is not one of ours or cannot be read
    written: datetime | None  # None where the store does not say when


def write_manifest(destination: Destination, landing: Landing, *, create_only: bool = False) -> None:
    """Write the manifest of a complete result. Raises `DestinationError`."""
    place = destination.manifest()
    data = json.dumps(landing.to_dict(), indent=2).encode()
    write_small(place.fs, place.path, place.uri, data, create_only=create_only)


def recorded_landing(
    destination: Destination, vendor: str, job_id: str, is_same: Callable[[Landing], bool]
) -> Landing | None:
    """The landing that the manifest at the destination records, if it is this job's and still valid.

    It is valid where the manifest names this job, all of its files (``is_same``), each at the place where it would go
    today, and every object has the recorded size and was last written before the manifest, which is written last.
    Where anything is missing, differs or cannot be read, the result is downloaded.
    """
    try:
        record = read_manifest(destination.manifest())
        landing = record.landing if record else None
        if record is None or landing is None or (landing.vendor, landing.job_id) != (vendor, job_id):
            return None
        if record.written is None or not is_same(landing):
            return None
        for file in landing.files:
            place = _place_of(destination, file)
            if place is None or place.uri != file.uri or not _is_unchanged(place, file, record.written):
                return None
    except Exception as error:  # noqa: BLE001  a store that denies reading, a manifest that is none
        log.info("Cannot verify the existing objects at %s (%s); downloading", destination.uri, type(error).__name__)
        return None
    return landing


def own_files(destination: Destination, landing: Landing) -> list[tuple[Destination, LandedFile]]:
    """The files of a manifest that this destination would have written, each with its place."""
    places = ((_place_of(destination, file), file) for file in landing.files)
    return [(there, file) for there, file in places if there is not None]


def _place_of(destination: Destination, file: LandedFile) -> Destination | None:
    """The place where this destination would write such a file; None where the record names another."""
    name, part = file.source_name or "", file.part
    if (part is not None and (type(part) is not int or part < 1)) or not is_kind(file.kind):
        return None
    if destination.is_folder and safe_filename(None, fallback=name) != name:
        return None
    place = destination.part(part, name, file.kind)
    return place if place.uri.rpartition("/")[2] == file.uri.rpartition("/")[2] else None


def _is_unchanged(place: Destination, file: LandedFile, written: datetime | None) -> bool:
    """True if the object has the recorded size and, where that was, was not ``written`` later: then it is another's."""
    info = place.info()
    if info is None or info.get("size") != file.bytes:
        return False
    return written is None or ((modified := place.modified()) is not None and modified <= written)


def remove_unchanged(place: Destination, file: LandedFile, written: datetime | None) -> bool:
    """Remove a file of an earlier result, unless others have overwritten it. Returns whether it was removed.

    A result that was not completely published has no manifest, and so no time: its files are recognised by their names
    and sizes.
    """
    try:
        unchanged = _is_unchanged(place, file, written)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(place.uri, "check whether it is unchanged", error) from None
    if unchanged:
        remove(place, "remove what the new result does not have")
    elif written is not None:
        log.info("Not removing %s: it is gone, or has changed since the replaced manifest was written", place.uri)
    return unchanged


def names_of(landing: Landing) -> set[str]:
    """The folded names of its files."""
    return {folded(file.uri) for file in landing.files}


def read_manifest(place: Destination) -> Record | None:
    """The manifest at ``place``; None where there is none. Raises what the store raises."""
    info = place.info()
    if info is None:
        return None
    if info.get("type") != "file" or not 0 < (info.get("size") or 0) <= LARGEST_MANIFEST:
        return Record(None, None)
    return Record(parsed_landing(place.fs.cat_file(place.path)), place.modified())


def parsed_landing(data: bytes) -> Landing | None:
    """Parse a landing; None where the JSON is not one."""
    try:
        landing = Landing.from_dict(json.loads(data))
        files: tuple[Any, ...] = landing.files
        is_plausible = all(
            type(file.bytes) is int and isinstance(file.uri, str) and isinstance(file.source_name, str | None)
            for file in files
        )
        return landing if is_plausible and landing.bytes == sum(file.bytes for file in files) else None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def read_if_allowed(place: Destination, *, writes_manifest: bool) -> Record | None:
    """The manifest at ``place``; None where there is none, or none that must be removed. Raises `DestinationError`."""
    try:
        return read_manifest(place)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refuse_unreachable(place, "read the manifest of the result that is replaced", error)
    # A worker that may only write cannot know. Where a new manifest follows, an old one must be removed first.
    log.info("Cannot check for a manifest at %s: the store denies reading", place.uri)
    return Record(None, None) if writes_manifest else None


def refuse_unreachable(place: Destination, doing: str, error: Exception) -> None:
    """Raise a store's error that another try may not meet; a worker that may only write does not read."""
    refused = destination_error(place.uri, doing, error)
    if refused.retryable and not is_forbidden(error):
        raise refused from None


def remove(place: Destination, doing: str) -> None:
    """Remove an object. Raises `DestinationError`, where the store refuses."""
    try:
        remove_object(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, doing, error)
        if is_forbidden(error):
            remedy = "Let the destination's connection delete objects there, or choose an empty destination."
            raise DestinationError(refused.message, remedy=remedy, retryable=False) from None
        raise refused from None
