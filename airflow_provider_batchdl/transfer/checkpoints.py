"""Writing to a sink whose bytes cannot be read back: what has been learned of them is given to it along the way."""

from __future__ import annotations

from airflow_provider_batchdl.transfer.examination import Examination
from airflow_provider_batchdl.transfer.sinks import Sink


def keep(sink: Sink, examination: Examination, chunk: bytes) -> None:
    """Write ``chunk`` and examine it; where the sink wants to know the state after some byte, tell it then.

    Args:
        sink: a `CheckpointedSink`, or any other.
        examination: has seen exactly what the sink has.
        chunk: the next bytes.
    """
    # Not `isinstance`: that looks for every member of the protocol, for every chunk.
    while (due := getattr(sink, "next_checkpoint", None)) is not None and sink.written + len(chunk) >= due:
        count = due - sink.written
        _keep(sink, examination, chunk[:count])
        chunk = chunk[count:]
        sink.checkpoint(examination.snapshot())  # type: ignore[attr-defined]
    if chunk:
        _keep(sink, examination, chunk)


def _keep(sink: Sink, examination: Examination, chunk: bytes) -> None:
    sink.write(chunk)
    examination.feed(chunk)
