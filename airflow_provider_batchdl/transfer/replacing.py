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
    refuse_unreachable,
    remove,
    remove_unchanged,
)
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from airflow_provider_batchdl.transfer.sinks.stores import is_local
from airflow_provider_batchdl.transfer.source.filenames import folded

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import LandedFile, Landing
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)


def make_way(destination: Destination, landing: Landing, options: DownloadOptions) -> bool:
    """Prepare the destination before anything of a new result is visible. Raises `DestinationError`.

    Returns whether `remove_replaced` has something to do.
    """
    if options.keep == "all":
        return options.if_exists != "error" and _retire(destination, landing, options)
    place, note = destination.manifest(), destination.replaced()
    there = read_if_allowed(place, writes_manifest=True)
    _write(note, [*_read(note), *([there] if there is not None else []), Record(landing, None)])
    if there is not None and (there.landing is None or names_of(there.landing) & names_of(landing)):
        remove(place, "remove the manifest of the result that is replaced")
    return True


def remove_replaced(destination: Destination, landing: Landing, options: DownloadOptions) -> None:
    """Remove what `make_way` recorded, and its record: the new result is published. Raises `DestinationError`."""
    note = destination.replaced()
    if options.keep == "latest":
        records = _read(note)
        if not records:
            return
        for place in _remove_surplus(destination, records, landing):
            log.info("Removed %s: job %s has the latest result", place.uri, landing.job_id)
    remove(note, "remove the record of what was replaced")


def _retire(destination: Destination, landing: Landing, options: DownloadOptions) -> bool:
    """Remove the manifest of the result that is about to be replaced, and the objects that only that result has.

    The manifest is removed first, so that it never names what is not there. An object that it names is removed only
    where this destination would have written it, under a name that the new result does not have, and it is unchanged
    since; nothing else in a manifest is trusted. Until the new result is published, a hidden record has what the
    manifest had, and what the new one will have: after a kill, the next result may be of other parts than both.

    Returns whether there is such a record.
    """
    writes_manifest = options.writes_manifest(len(landing.files))
    place, note = destination.manifest(), destination.replaced()
    old, records = read_if_allowed(place, writes_manifest=writes_manifest), _read(note)
    if old and old.landing and _is_of_others(destination, old.landing, landing, options):
        old = Record(None, None) if writes_manifest else None
    is_noted = bool(records)
    if old is not None and old.landing is not None and old.written is not None:
        records = [*records, old]
    if any(_surplus(destination, records, landing)) or (records and len(landing.files) > 1):
        # In a folder, the names of an unfinished result are nobody else's, and its retry has them again.
        _write(note, records if destination.is_folder else [*records, Record(landing, None)])
        is_noted = True
    if old is not None and (writes_manifest or old.landing is not None):
        remove(place, "remove the manifest of the result that is replaced")
    for there in _remove_surplus(destination, records, landing):
        log.warning("Removed %s: the result of job %s replaces the one that it was part of", there.uri, landing.job_id)
    return is_noted


def _is_of_others(destination: Destination, old: Landing, new: Landing, options: DownloadOptions) -> bool:
    """True if the old manifest is of a result that the new one does not replace.

    In a folder, the single result file of another job stays, unless the new one overwrites it; without a manifest of
    the new one, any number of files.
    """
    own = own_files(destination, old)
    if old.files and not own:
        return True  # of an object whose name begins as ours
    if not destination.is_folder or not old.files or (old.vendor, old.job_id) == (new.vendor, new.job_id):
        return False
    names = names_of(new)
    if any(folded(there.path) in names for there, _ in own):
        return False
    return options.manifest is False or len(old.results) <= 1


def _surplus(
    destination: Destination, records: Iterable[Record], landing: Landing
) -> Iterator[tuple[Destination, LandedFile, Record]]:
    """The files of earlier results, under names that the new one does not have."""
    names = names_of(landing)
    for record in records:
        for there, file in own_files(destination, record.landing) if record.landing else ():
            if folded(there.path) not in names:
                yield there, file, record


def _remove_surplus(destination: Destination, records: list[Record], landing: Landing) -> Iterator[Destination]:
    """Remove what the new result does not replace by overwriting; yields the files that have been removed."""
    for place, file, record in _surplus(destination, records, landing):
        if remove_unchanged(place, file, record.written):
            yield place
    if not landing.results and not destination.is_folder:
        remove(destination, "remove the result that is replaced with nothing")


def _read(place: Destination) -> list[Record]:
    """The results in a hidden record; none where there is no record, it is damaged, or the store denies reading.

    A store that cannot be reached is an error: without the record, what it names would stay for good.
    """
    try:
        info = place.info() if is_local(place.fs) else {"type": "file"}
        if info is None or info.get("type") != "file":  # a FIFO would never answer
            return []
        recorded: Any = json.loads(place.fs.cat_file(place.path))
        facts = recorded if isinstance(recorded, list) else [recorded]
        return [Record(parsed_landing(json.dumps(one["landing"]).encode()), moment_of(one["written"])) for one in facts]
    except (FileNotFoundError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return []
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        refuse_unreachable(place, "read the record of what is replaced", error)
        return []


def _write(place: Destination, records: Iterable[Record]) -> None:
    facts = [
        {"written": each.written.isoformat() if each.written else None, "landing": each.landing.to_dict()}
        for each in records
        if each.landing is not None
    ]
    once = dict.fromkeys(map(json.dumps, facts))
    write_small(place.fs, place.path, place.uri, f"[{', '.join(once)}]".encode())
