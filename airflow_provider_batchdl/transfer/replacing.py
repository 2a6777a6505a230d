"""Replace the previous result at a destination; with ``keep="latest"`` whatever its names.

1. A hidden record lists what will be removed and what will be published.
2. The new files become visible. Where one overwrites a file that the old manifest names, that manifest is removed
first. 3. The new manifest overwrites the old one.
4. The files of the old manifest and of killed tries are removed; then the record.

So, in a folder, there is a complete result at any moment, and the next try, or the next job, finishes what a kill left.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
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
    retire,
)
from airflow_provider_batchdl.transfer.overwrite import object_info
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.factory import is_local, write_small
from airflow_provider_batchdl.transfer.source.filenames import folded

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Landing
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)


def make_way(destination: Destination, landing: Landing, options: DownloadOptions) -> None:
    """Prepare the destination before anything of a new result is visible.

    Args:
        destination: of the new result.
        landing: the new result, verified and not yet visible.
        options: how it is downloaded.

    Raises:
        DestinationError: the store refused; nothing new is visible yet.
    """
    if options.keep == "latest":
        _set_aside(destination, landing)
    elif options.if_exists != "error":
        writes_manifest = options.writes_manifest(len(landing.files))
        retire(destination, landing, manifest=options.manifest, writes_manifest=writes_manifest)


def remove_replaced(destination: Destination, landing: Landing, options: DownloadOptions) -> None:
    """With ``keep="latest"``, remove what `make_way` recorded: the new result and its manifest are published.

    Raises:
        DestinationError: the store refused.
    """
    records = _read(destination) if options.keep == "latest" else []
    if not records:
        return
    published = names_of(landing)
    for record in records:
        for place, file in own_files(destination, record.landing) if record.landing else ():
            if folded(place.path) in published:
                continue
            if record.written is not None:
                if remove_unchanged(place, file, record.written):
                    log.info("Removed %s: job %s has the latest result", place.uri, landing.job_id)
            elif _has_size(place, file.bytes):
                remove(place, "remove what a killed try left")
    if not landing.results and not destination.is_folder:
        remove(destination, "remove the result that is replaced with nothing")
    remove(destination.replaced(), "remove the record of what was replaced")


def _set_aside(destination: Destination, landing: Landing) -> None:
    """Record what will be removed: the result that the manifest names, and what earlier tries recorded.

    A result that was not completely published has no manifest, and so no time: its files are recognised by their names
    and sizes.
    """
    place = destination.manifest()
    there = read_if_allowed(place, writes_manifest=True)
    records = [*_read(destination), *([there] if there is not None else []), Record(landing, None)]
    _write(destination, {json.dumps(_facts(each)): each for each in records if each.landing is not None}.values())
    if there is not None and (there.landing is None or names_of(there.landing) & names_of(landing)):
        remove(place, "remove the manifest of the result that is replaced")


def _has_size(place: Destination, size: int) -> bool:
    try:
        info = object_info(place.fs, place.path)
    except Exception as error:  # noqa: BLE001  every store raises its own kinds
        raise destination_error(place.uri, "check what a killed try left", error) from None
    return info is not None and info.get("size") == size


def _read(destination: Destination) -> list[Record]:
    place = destination.replaced()
    with contextlib.suppress(Exception):
        if not is_local(place.fs) or object_info(place.fs, place.path) is not None:  # a FIFO would never answer
            recorded: Any = json.loads(place.fs.cat_file(place.path))
            return [
                Record(parsed_landing(json.dumps(each["landing"]).encode()), moment_of(each["written"]))
                for each in recorded
            ]
    return []


def _write(destination: Destination, records: Iterable[Record]) -> None:
    place = destination.replaced()
    write_small(place.fs, place.path, place.uri, json.dumps([_facts(each) for each in records]).encode())


def _facts(record: Record) -> dict[str, Any]:
    return {
        "written": record.written.isoformat() if record.written else None,
        "landing": record.landing.to_dict() if record.landing else None,
    }
