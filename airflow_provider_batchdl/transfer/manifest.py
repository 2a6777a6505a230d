"""The manifest of a result: written last, and removed first when the result is replaced."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import LandedFile, Landing, is_kind
from airflow_provider_batchdl.transfer.overwrite import object_info
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.factory import is_local, remove_object, write_small
from airflow_provider_batchdl.transfer.source.filenames import folded, safe_filename

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# A manifest has some 500 bytes for each part; a larger object is not one of ours.
LARGEST_MANIFEST = 16 << 20
_REMEDY = "Let the destination's connection delete objects there, or choose an empty destination."


@dataclass(frozen=True)
class Record:
    """An existing manifest.

    Args:
        landing: what it records; None where it is not one of ours or cannot be read.
        written: its time of writing; None where the store has none.
    """

    landing: Landing | None
    written: datetime | None


def write_manifest(destination: Destination, landing: Landing, *, create_only: bool = False) -> None:
    """Write the manifest of a complete result.

    Raises:
        DestinationError: the store refused.
    """
    place = destination.manifest()
    data = json.dumps(landing.to_dict(), indent=2).encode()
    write_small(place.fs, place.path, place.uri, data, create_only=create_only)


def recorded_landing(
    place: Destination, *, vendor: str, job_id: str, is_same: Callable[[Landing], bool]
) -> Landing | None:
    """The landing that the manifest at the destination records, if it is this job's and still valid.

    It is valid where the manifest names this job, all of its files, each at the place where it would go today, and
    every object has the recorded size and was last written before the manifest, which is written last.

    Args:
        place: the destination.
        vendor: the vendor's name.
        job_id: the vendor's id of the job.
        is_same: whether a landing has all files of the job.

    Returns:
        The landing; None where anything is missing, differs or cannot be read: then the result is downloaded.
    """
    try:
        record = read_manifest(place.manifest())
        landing = record.landing if record else None
        if record is None or landing is None or (landing.vendor, landing.job_id) != (vendor, job_id):
            return None
        if not is_same(landing):
            return None
        for file in landing.files:
            there = _place_of(place, file)
            if there is None or there.uri != file.uri or not _is_unchanged(there, file, record.written):
                return None
    except Exception as error:  # noqa: BLE001  a store that denies reading, a manifest that is none
        log.info("Cannot verify the existing objects at %s (%s); downloading", place.uri, type(error).__name__)
        return None
    return landing


def retire(destination: Destination, landing: Landing, *, manifest: bool | None, writes_manifest: bool) -> None:
    """Remove the manifest of the result that is about to be replaced, and the objects that only that result has.

    The manifest is removed first, so that it never names what is not there. An object that it names is removed only
    where this destination would have written it, under a name that the new result does not have, and it is unchanged
    since; nothing else in a manifest is trusted. A kill leaves a hidden record of what is still to be removed, which
    the next try finds. Where the new result is empty, an object that is the destination itself is removed as well.

    In a folder, the single result file of another job that the new result does not replace stays, and so does its
    manifest, unless the new one overwrites it. With ``manifest=False`` this holds for any number of files.

    Args:
        destination: where the new result goes.
        landing: the new result, verified and not yet visible.
        manifest: the user's option; None for the default.
        writes_manifest: whether the new result has one.

    Raises:
        DestinationError: the store refused; nothing new is visible yet.
    """
    place, removals = destination.manifest(), destination.removals()
    record, earlier = read_if_allowed(place, writes_manifest=writes_manifest), _read_removals(removals)
    if record and record.landing and _is_of_others(destination, record.landing, landing, manifest=manifest):
        record = Record(None, None) if writes_manifest else None
    surplus = [*_surplus(destination, record, landing), *_surplus(destination, earlier, landing)]
    if record is not None and (writes_manifest or record.landing is not None):
        if surplus and record.landing is not None:
            _write_removals(removals, record)
        remove(place, "remove the manifest of the result that is replaced")
    for there, file, written in surplus:
        if remove_unchanged(there, file, written):
            log.warning(
                "Removed %s: the result of job %s replaces the one that it was part of", there.uri, landing.job_id
            )
    if not landing.results and not destination.is_folder:
        remove(destination, "remove the result that is replaced with nothing")
    if surplus or earlier is not None:
        remove(removals, "remove the record of what was replaced")


def _is_of_others(destination: Destination, old: Landing, new: Landing, *, manifest: bool | None) -> bool:
    """True if the old manifest is of a result that the new one does not replace."""
    own = own_files(destination, old)
    if old.files and not own:
        return True  # of an object whose name begins as ours
    if not destination.is_folder or not old.files or (old.vendor, old.job_id) == (new.vendor, new.job_id):
        return False
    names = names_of(new)
    if any(folded(there.path) in names for there, _ in own):
        return False
    return manifest is False or len(old.results) <= 1


def _surplus(
    destination: Destination, record: Record | None, new: Landing
) -> Iterator[tuple[Destination, LandedFile, datetime | None]]:
    if record is None or record.landing is None:
        return
    names = names_of(new)
    for there, file in own_files(destination, record.landing):
        if folded(there.path) not in names:
            yield there, file, record.written


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
    """True if the object has the recorded size and is not newer than the record: newer ones are others'."""
    info = object_info(place.fs, place.path)
    if info is None or info.get("size") != file.bytes or written is None:
        return False
    try:
        return bool(place.fs.modified(place.path) <= written)
    except NotImplementedError:
        return False


def remove_unchanged(place: Destination, file: LandedFile, written: datetime | None) -> bool:
    """Remove a file of a replaced result, unless others have overwritten it. Returns whether it was removed."""
    try:
        unchanged = _is_unchanged(place, file, written)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(place.uri, "check whether it is unchanged", error) from None
    if unchanged:
        remove(place, "remove what the new result does not have")
    else:
        log.info("Not removing %s: it is gone, or has changed since the replaced manifest was written", place.uri)
    return unchanged


def names_of(landing: Landing) -> set[str]:
    """The folded names of its files."""
    return {folded(file.uri) for file in landing.files}


def read_manifest(place: Destination) -> Record | None:
    """The manifest at ``place``; None where there is none. Raises what the store raises."""
    info = object_info(place.fs, place.path)
    if info is None:
        return None
    if info.get("type") != "file" or not 0 < (info.get("size") or 0) <= LARGEST_MANIFEST:
        return Record(None, None)
    landing = parsed_landing(place.fs.cat_file(place.path))
    try:
        return Record(landing, place.fs.modified(place.path))
    except NotImplementedError:
        return Record(landing, None)


def parsed_landing(data: bytes) -> Landing | None:
    """Parse a landing; None where the JSON is not one."""
    try:
        landing = Landing.from_dict(json.loads(data))
        if not all(map(_is_plausible, landing.files)) or landing.bytes != sum(file.bytes for file in landing.files):
            return None
        return landing
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def _is_plausible(file: Any) -> bool:
    return type(file.bytes) is int and isinstance(file.uri, str) and isinstance(file.source_name, str | None)


def read_if_allowed(place: Destination, *, writes_manifest: bool) -> Record | None:
    """The manifest at ``place``; None where there is none, or none that must be removed.

    Raises:
        DestinationError: the store cannot be reached.
    """
    try:
        return read_manifest(place)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, "read the manifest of the result that is replaced", error)
        if refused.retryable and not isinstance(error, PermissionError):  # S3 gives a refused HEAD no code
            raise refused from None
    # A worker that may only write cannot know. Where a new manifest follows, an old one must be removed first.
    log.info("Cannot check for a manifest at %s: the store denies reading", place.uri)
    return Record(None, None) if writes_manifest else None


def _read_removals(place: Destination) -> Record | None:
    """The manifest that a killed try removed before the objects that it names."""
    with contextlib.suppress(Exception):
        if not is_local(place.fs) or object_info(place.fs, place.path) is not None:  # a FIFO would never answer
            facts: Any = json.loads(place.fs.cat_file(place.path))
            return Record(parsed_landing(json.dumps(facts["landing"]).encode()), times.moment_of(facts["written"]))
    return None


def _write_removals(place: Destination, record: Record) -> None:
    if record.landing is not None and record.written is not None:
        facts = {"written": record.written.isoformat(), "landing": record.landing.to_dict()}
        write_small(place.fs, place.path, place.uri, json.dumps(facts).encode())


def remove(place: Destination, doing: str) -> None:
    """Remove an object.

    Raises:
        DestinationError: the store refused.
    """
    try:
        remove_object(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, doing, error)
        if refused.retryable and not isinstance(error, PermissionError):
            raise refused from None
        raise DestinationError(refused.message, remedy=_REMEDY, retryable=False) from None
