"""Find the partial that a stopped download left on the local disk."""

from __future__ import annotations

import os

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.local import partial
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.state import PartialRecord


def resumable_sink(path: str, uri: str, key: str, *, create_only: bool = False) -> LocalSink | None:
    """The sink of a download that was stopped, with its bytes.

    Args:
        path: the target, or its folder, ending in `/`.
        uri: its address in messages.
        key: the key of the stopped download.
        create_only: as for `LocalSink`.

    Returns:
        The sink, its `partial_record` set; None where there is nothing to resume.
    """
    folder, name = os.path.split(path)
    work = partial.work_folder(folder)
    for temporary in [partial.path_of(work, name, key)] if name else partial.find(work, key=key):
        state = partial.read_state(temporary)
        record = PartialRecord.from_json(state) if state else None
        target = record.target if record else ""
        if target in ("", ".", "..") or os.path.basename(target) != target or name not in ("", target):
            continue
        if partial.path_of(work, target, key) != temporary or not os.path.lexists(temporary):
            continue
        try:
            place = os.path.join(folder, target), uri if name else uri + target
            sink = LocalSink(*place, key=key, keep_bytes=True, create_only=create_only)
        except DestinationError:
            continue  # the download will raise it
        if sink.resume():
            return sink
        sink.discard()
    return None
