"""Finding what a download that was stopped left on the local disk."""

from __future__ import annotations

import os

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks import leftovers, partial
from airflow_provider_batchdl.transfer.sinks.local import LocalSink
from airflow_provider_batchdl.transfer.state import Mark


def kept_sink(path: str, uri: str, key: str, *, create_only: bool = False) -> LocalSink | None:
    """The sink of a download that was stopped, with the bytes it had.

    Args:
        path: the target, or the folder it is in, ending in `/`.
        uri: the same for people.
        key: what the download was begun with.
        create_only: as for `LocalSink`.

    Returns:
        The sink, its `mark` set; None where no try left anything that can be gone on with.
    """
    folder, name = os.path.split(path)
    for temporary in leftovers.found(folder, key=key) if not name else [partial.path_of(folder, name, key)]:
        noted = partial.read_state(temporary)
        mark = Mark.from_json(noted) if noted else None
        target = mark.target if mark else ""
        if target in ("", ".", "..") or os.path.basename(target) != target or name not in ("", target):
            continue
        if partial.path_of(folder, target, key) != temporary or not os.path.lexists(temporary):
            continue
        try:
            place = os.path.join(folder, target), uri if name else uri + target
            sink = LocalSink(*place, key=key, keep=True, create_only=create_only)
        except DestinationError:
            continue  # it will be said again, and in full, when the download begins
        if sink.go_on():
            return sink
        sink.discard()
    return None
