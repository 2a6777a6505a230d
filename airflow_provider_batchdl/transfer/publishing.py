"""Let one process at a time publish into a local folder.

A result of several files is published file by file. Where two processes did that at once, the files could be of both
results, and the manifest of one. Object stores have no such lock: there, what is published is checked afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from time import monotonic, sleep
from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.manifest import own_files, remove
from airflow_provider_batchdl.transfer.sinks.errors import clean
from airflow_provider_batchdl.transfer.sinks.stores import is_local, local_path

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import LandedFile, Landing
    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

LONGEST_WAIT = 600.0
"""Seconds: publishing is a few renames for each file, whose bytes are on the disk by then."""
_POLL = 0.02
LOOK_AGAIN = (0.5, 1.0, 2.0)
"""Seconds before an object that is not the published one is checked again: some stores show the last for a while."""


@contextmanager
def exclusive(place: Destination) -> Iterator[None]:
    """Wait until no other process publishes into the local folder of ``place``, and keep the others out.

    The lock is on the folder itself (`flock`): nothing is left, however the process ends. Without one where the store
    is no local disk, or its file system locks no folders (NFS). After ten minutes, raises `DestinationError`.
    """
    fd = None
    if is_local(place.fs):
        path = place.path if place.is_folder else os.path.dirname(local_path(place.fs, place.path))  # noqa: PTH120
        with suppress(OSError):  # nothing is there; or publishing raises what is wrong
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if fd is not None:
            _wait_for(fd, place)
        yield
    finally:
        if fd is not None:
            os.close(fd)


def _wait_for(fd: int, place: Destination) -> None:
    """Wait for the lock, if the file system has one."""
    due, is_logged = monotonic() + LONGEST_WAIT, False
    while True:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if monotonic() > due:
                raise DestinationError(
                    f"{clean(place.uri)}: another process has been publishing for {LONGEST_WAIT / 60:.0f} minutes.",
                    remedy="End it if it hangs, then retry the task; give each task a destination of its own.",
                ) from None
            if not is_logged:
                log.info("Another process is publishing to %s; waiting", place.uri)
            is_logged = True
            sleep(_POLL)
        except OSError:
            return
        else:
            return


def check_published(place: Destination, landing: Landing, etags: Sequence[str | None]) -> None:
    """Check in an object store that the manifest, which is written by now, names what is there.

    Of two processes whose results are mixed, the one that ends last finds out, by what the store gave each file when it
    was published: ``etags``, of which a local disk has none. It removes the manifest, and raises `DestinationError`.
    """
    if not any(etags):
        return
    given = dict(zip((file.uri for file in landing.files), etags, strict=True))
    other = _other(place, landing, given)
    for seconds in LOOK_AGAIN:
        if other is None:
            return
        sleep(seconds)
        other = _other(place, landing, given)
    if other is None:
        return
    remove(place.manifest(), "remove the manifest of a result that was replaced in the meantime")
    raise DestinationError(
        f"{clean(other.uri)}: another process has replaced it while the result was being published.",
        remedy="Retry the task; give each task and each mapped instance a destination of its own.",
    )


def _other(place: Destination, landing: Landing, given: Mapping[str, str | None]) -> LandedFile | None:
    """A file in whose place the store shows another; None for none, or where it cannot be asked."""
    try:
        there = [(file, each.info() or {}) for each, file in own_files(place, landing)]
    except Exception as error:  # noqa: BLE001  write-only credentials, for one
        log.info("Cannot check what was published at %s: %s", place.uri, type(error).__name__)
        return None
    same = {file.uri for file, info in there if str(info.get("ETag") or info.get("etag")).strip('"') == given[file.uri]}
    # Where no file has the ETag that it was given, the store has others for reading.
    others = (file for file, info in there if info.get("size") != file.bytes or (same and file.uri not in same))
    return next(others, None)
