"""Replace the previous result at a destination.

With ``keep="all"``, the manifest that is there is removed first, with the files that only its result has. With
``keep="latest"``, whatever its names:

1. A hidden record lists what will be removed and what will be published.
2. The new files become visible. Where one overwrites a file that the old manifest names, that manifest goes first.
3. The new manifest overwrites the old one.
4. The files of the old manifest and of killed tries are removed; then the record.

So, in a folder, there is a complete result at any moment, and the next try, or the next job, finishes what a kill left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values.times import moment_of
from airflow_provider_batchdl.transfer.manifest import (
    Record,
    names_of,
    own_files,
    parsed_landing,
    read_if_allowed,
    remove,
    remove_unchanged,
)
from airflow_provider_batchdl.transfer.overwrite import object_info
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from airflow_provider_batchdl.transfer.sinks.stores import is_local
from airflow_provider_batchdl.transfer.source.filenames import folded

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import LandedFile, Landing
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)


def make_way(destination: Destination, landing: Landing, options: DownloadOptions) -> bool:
    """Prepare the destination before anything of a new result is visible.

    Returns:
        Whether `remove_replaced` has something to do.

    Raises:
        DestinationError: the store refused; nothing new is visible yet.
    """
    if options.keep == "latest":
        _set_aside(destination, landing)
        return True
    if options.if_exists == "error":
        return False
    writes_manifest = options.writes_manifest(len(landing.files))
    return retire(destination, landing, manifest=options.manifest, writes_manifest=writes_manifest)


def remove_replaced(destination: Destination, landing: Landing, options: DownloadOptions) -> None:
    """Remove what `make_way` recorded, and its record: the new result and its manifest are published.

    Raises:
        DestinationError: the store refused.
    """
    if options.keep == "all":
        remove(destination.removals(), "remove the record of what was replaced")
        return
    records = _read(destination.replaced())
    if not records:
        return
    for place, file, record in _surplus(destination, records, landing):
        if remove_unchanged(place, file, record.written):
            log.info("Removed %s: job %s has the latest result", place.uri, landing.job_id)
    if not landing.results and not destination.is_folder:
        remove(destination, "remove the result that is replaced with nothing")
    remove(destination.replaced(), "remove the record of what was replaced")


def retire(destination: Destination, landing: Landing, *, manifest: bool | None, writes_manifest: bool) -> bool:
    """Remove the manifest of the result that is about to be replaced, and the objects that only that result has.

    The manifest is removed first, so that it never names what is not there. An object that it names is removed only
    where this destination would have written it, under a name that the new result does not have, and it is unchanged
    since; nothing else in a manifest is trusted. Until the new result is published, a hidden record has what the
    manifest had, and what the new one will have: after a kill, the next result may be of other parts than both. Where
    the new result is empty, an object that is the destination itself is removed as well.

    In a folder, the single result file of another job that the new result does not replace stays, and so does its
    manifest, unless the new one overwrites it. With ``manifest=False`` this holds for any number of files.

    Args:
        destination: where the new result goes.
        landing: the new result, verified and not yet visible.
        manifest: the user's option; None for the default.
        writes_manifest: whether the new result has one.

    Returns:
        Whether there is such a record.

    Raises:
        DestinationError: the store refused; nothing new is visible yet.
    """
    place, note = destination.manifest(), destination.removals()
    old, records = read_if_allowed(place, writes_manifest=writes_manifest), _read(note)
    if old and old.landing and _is_of_others(destination, old.landing, landing, manifest=manifest):
        old = Record(None, None) if writes_manifest else None
    is_noted = bool(records)
    if old is not None and old.landing is not None and old.written is not None:
        records = [*records, old]
    surplus = list(_surplus(destination, records, landing))
    if surplus or (records and len(landing.files) > 1):
        # In a folder, the names of an unfinished result are nobody else's, and its retry has them again.
        _write(note, records if destination.is_folder else [*records, Record(landing, None)])
        is_noted = True
    if old is not None and (writes_manifest or old.landing is not None):
        remove(place, "remove the manifest of the result that is replaced")
    for there, file, record in surplus:
        if remove_unchanged(there, file, record.written):
            log.warning(
                "Removed %s: the result of job %s replaces the one that it was part of", there.uri, landing.job_id
            )
    if not landing.results and not destination.is_folder:
        remove(destination, "remove the result that is replaced with nothing")
    return is_noted


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
    destination: Destination, records: Iterable[Record], landing: Landing
) -> Iterator[tuple[Destination, LandedFile, Record]]:
    """The files of earlier results, under names that the new one does not have."""
    names = names_of(landing)
    for record in records:
        for there, file in own_files(destination, record.landing) if record.landing else ():
            if folded(there.path) not in names:
                yield there, file, record


def _set_aside(destination: Destination, landing: Landing) -> None:
    """Record what will be removed: the result that the manifest names, and what earlier tries recorded."""
    place, note = destination.manifest(), destination.replaced()
    there = read_if_allowed(place, writes_manifest=True)
    records = [*_read(note), *([there] if there is not None else []), Record(landing, None)]
    _write(note, records)
    if there is not None and (there.landing is None or names_of(there.landing) & names_of(landing)):
        remove(place, "remove the manifest of the result that is replaced")


def _read(place: Destination) -> list[Record]:
    """The results in a hidden record; none where there is no record, it is damaged, or the store denies reading.

    Raises:
        DestinationError: the store cannot be reached. Without the record, what it names would stay for good.
    """
    try:
        info = object_info(place.fs, place.path) if is_local(place.fs) else {"type": "file"}
        if info is None or info.get("type") != "file":  # a FIFO would never answer
            return []
        recorded: Any = json.loads(place.fs.cat_file(place.path))
        return [_record(each) for each in (recorded if isinstance(recorded, list) else [recorded])]
    except (FileNotFoundError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return []
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refused = destination_error(place.uri, "read the record of what is replaced", error)
        if refused.retryable and not is_forbidden(error):
            raise refused from None
        return []


def _record(facts: Any) -> Record:
    return Record(parsed_landing(json.dumps(facts["landing"]).encode()), moment_of(facts["written"]))


def _write(place: Destination, records: Iterable[Record]) -> None:
    each_once = dict.fromkeys(json.dumps(_facts(each)) for each in records if each.landing is not None)
    write_small(place.fs, place.path, place.uri, f"[{', '.join(each_once)}]".encode())


def _facts(record: Record) -> dict[str, Any]:
    return {
        "written": record.written.isoformat() if record.written else None,
        "landing": record.landing.to_dict() if record.landing else None,
    }
