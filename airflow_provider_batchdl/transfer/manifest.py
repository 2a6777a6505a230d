"""The manifest, which says what of a result is there: it goes first when that is replaced, and comes last."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import LandedFile, Landing
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.existing import is_local, object_info
from airflow_provider_batchdl.transfer.filenames import safe_filename
from airflow_provider_batchdl.transfer.sinks import remove_object, write_small
from airflow_provider_batchdl.transfer.sinks.errors import destination_error

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# A manifest has some 500 bytes for each part; what is larger than this is none of ours.
LARGEST_MANIFEST = 16 << 20
_REMEDY = "Let the destination's connection delete objects there, or choose an empty destination."


@dataclass(frozen=True)
class _Record:
    """A manifest that is there.

    Args:
        landing: what it records; None where it is none of ours or cannot be read.
        written: when it was; None where the store does not say.
    """

    landing: Landing | None
    written: datetime | None


def write_manifest(destination: Destination, landing: Landing, *, create_only: bool = False) -> None:
    """Say that all of a result is there.

    Raises:
        DestinationError: the store refused.
    """
    place = destination.manifest()
    data = json.dumps(landing.to_dict(), indent=2).encode()
    write_small(place.fs, place.path, place.uri, data, create_only=create_only)


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
    try:
        record = _read(place.manifest())
        landing = record.landing if record else None
        if record is None or landing is None or (landing.vendor, landing.job_id) != (vendor, job_id):
            return None
        if not parts or sorted(map(str, parts)) != sorted(str(file.part) for file in landing.files):
            return None
        for file in landing.files:
            there = _place_of(place, file)
            if there is None or there.uri != file.uri or not _is_unchanged(there, file, record.written):
                return None
    except Exception as error:  # noqa: BLE001  a store that does not let us look, a manifest that is none
        log.info("Cannot verify the existing objects at %s (%s); downloading.", place.uri, type(error).__name__)
        return None
    return landing


def retire(destination: Destination, landing: Landing, *, manifest: bool | None, writes_manifest: bool) -> None:
    """Remove the manifest of the result that is about to be replaced, and what only that result has.

    The manifest goes first, so that it never vouches for what is not there. An object that it names is removed only
    where this destination would have written it, under a name that the new result does not have, and it is unchanged
    since; nothing else in a manifest is believed. A kill leaves a hidden note of what is still to be removed, which the
    next try finds. Where the new result is empty, an object that is the destination itself goes as well.

    In a folder, the single file of another job that the new result does not replace stays, and so does its manifest,
    unless the new one takes its place. With ``manifest=False`` this holds for any number of files.

    Args:
        destination: where the new result goes.
        landing: the new result, verified and not yet visible.
        manifest: what the user asked for; None for nothing.
        writes_manifest: whether the new result gets one.

    Raises:
        DestinationError: the store did not let us; nothing new is visible yet.
    """
    place, note = destination.manifest(), destination.removals()
    record, noted = _read_if_allowed(place, writes_manifest=writes_manifest), _read_note(note)
    if record and record.landing and _is_of_others(destination, record.landing, landing, manifest=manifest):
        record = _Record(None, None) if writes_manifest else None
    surplus = [*_surplus(destination, record, landing), *_surplus(destination, noted, landing)]
    if record is not None and (writes_manifest or record.landing is not None):
        if surplus and record.landing is not None:
            _write_note(note, record)
        _remove(place, "remove the manifest of the result that is replaced")
    for there, file, written in surplus:
        _remove_unchanged(there, file, written, job_id=landing.job_id)
    if not landing.files and not destination.is_folder:
        _remove(destination, "remove the result that is replaced with nothing")
    if surplus or noted is not None:
        _remove(note, "remove the note of what was replaced")


def _is_of_others(destination: Destination, old: Landing, new: Landing, *, manifest: bool | None) -> bool:
    """Whether the old manifest is about a result beside the new one, which does not replace it."""
    own = _own_files(destination, old)
    if old.files and not own:
        return True  # of an object whose name begins as ours
    if not destination.is_folder or not old.files or (old.vendor, old.job_id) == (new.vendor, new.job_id):
        return False
    names = _names(new)
    if any(_folded(there.path) in names for there, _ in own):
        return False
    return manifest is False or len(old.files) == 1


def _surplus(
    destination: Destination, record: _Record | None, new: Landing
) -> Iterator[tuple[Destination, LandedFile, datetime | None]]:
    names = _names(new)
    for there, file in _own_files(destination, record.landing) if record and record.landing else ():
        if _folded(there.path) not in names:
            yield there, file, record.written if record else None


def _own_files(destination: Destination, landing: Landing) -> list[tuple[Destination, LandedFile]]:
    """What a manifest names and this destination would have written, and where."""
    places = ((_place_of(destination, file), file) for file in landing.files)
    return [(there, file) for there, file in places if there is not None]


def _place_of(destination: Destination, file: LandedFile) -> Destination | None:
    """Where this destination would write a file of that name and number; None where the record says otherwise."""
    name, part = file.source_name or "", file.part
    if part is not None and (type(part) is not int or part < 1):
        return None
    if destination.is_folder and safe_filename(None, fallback=name) != name:
        return None
    place = destination.part(part, name)
    return place if place.uri.rpartition("/")[2] == file.uri.rpartition("/")[2] else None


def _is_unchanged(place: Destination, file: LandedFile, written: datetime | None) -> bool:
    """Whether the object has the recorded size and is not younger than the record, which makes it another's."""
    info = object_info(place.fs, place.path)
    if info is None or info.get("size") != file.bytes or written is None:
        return False
    try:
        return bool(place.fs.modified(place.path) <= written)
    except NotImplementedError:
        return False


def _remove_unchanged(place: Destination, file: LandedFile, written: datetime | None, *, job_id: str) -> None:
    try:
        unchanged = _is_unchanged(place, file, written)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(place.uri, "see whether it is unchanged", error) from None
    if unchanged:
        _remove(place, "remove what the new result does not have")
        log.warning("Removed %s: the result of job %s replaces the one that it was part of.", place.uri, job_id)
    else:
        log.info("Not removing %s: it is gone, or not what the replaced manifest names.", place.uri)


def _names(landing: Landing) -> set[str]:
    return {_folded(file.uri) for file in landing.files}


def _folded(path: str) -> str:
    """The last segment, as a file system that ignores case and normalisation compares it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path.rpartition("/")[2]).casefold())


def _read(place: Destination) -> _Record | None:
    """The manifest at ``place``; None where there is none. Raises what the store raises."""
    info = object_info(place.fs, place.path)
    if info is None:
        return None
    if info.get("type") != "file" or not 0 < (info.get("size") or 0) <= LARGEST_MANIFEST:
        return _Record(None, None)
    landing = _parsed(place.fs.cat_file(place.path))
    try:
        return _Record(landing, place.fs.modified(place.path))
    except NotImplementedError:
        return _Record(landing, None)


def _parsed(data: bytes) -> Landing | None:
    try:
        landing = Landing.from_dict(json.loads(data))
        return landing if all(map(_is_plausible, landing.files)) else None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def _is_plausible(file: Any) -> bool:
    return type(file.bytes) is int and isinstance(file.uri, str) and isinstance(file.source_name, str | None)


def _read_if_allowed(place: Destination, *, writes_manifest: bool) -> _Record | None:
    try:
        return _read(place)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, "read the manifest of the result that is replaced", error)
        if refused.retryable and not isinstance(error, PermissionError):  # S3 gives a refused HEAD no code
            raise refused from None
    # A worker that may only write cannot know. What may be there has to go where a new one is to follow.
    log.info("Cannot see whether there is a manifest at %s: the store does not allow it.", place.uri)
    return _Record(None, None) if writes_manifest else None


def _read_note(place: Destination) -> _Record | None:
    """The manifest that an earlier try, which was killed, removed before what it names."""
    with contextlib.suppress(Exception):
        if not is_local(place.fs) or object_info(place.fs, place.path) is not None:  # a FIFO would never answer
            facts: Any = json.loads(place.fs.cat_file(place.path))
            return _Record(_parsed(json.dumps(facts["landing"]).encode()), datetime.fromisoformat(facts["written"]))
    return None


def _write_note(place: Destination, record: _Record) -> None:
    if record.landing is not None and record.written is not None:
        facts = {"written": record.written.isoformat(), "landing": record.landing.to_dict()}
        write_small(place.fs, place.path, place.uri, json.dumps(facts).encode())


def _remove(place: Destination, doing: str) -> None:
    try:
        remove_object(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, doing, error)
        if refused.retryable and not isinstance(error, PermissionError):
            raise refused from None
        raise DestinationError(refused.message, remedy=_REMEDY, retryable=False) from None
