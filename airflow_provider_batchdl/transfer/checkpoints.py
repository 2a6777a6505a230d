"""What has been learned of a file's bytes, beside the bytes themselves: for another process to go on with.

It is learned once more from bytes that can be read back, and given along to a sink whose bytes cannot.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.transfer.examination import Examination
from airflow_provider_batchdl.transfer.sinks import CheckpointedSink, DurableSink, ResumableSink, Sink


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


def examination_of(kept: DurableSink, arguments: dict[str, Any]) -> Examination:
    """The examination of the bytes that an earlier try left.

    Args:
        kept: has them.
        arguments: what the earlier one was made with.

    Raises:
        BatchDlError: they are of no use.
        ValueError: likewise.
    """
    if isinstance(kept, CheckpointedSink):
        examination = Examination.restore(kept.examined, **arguments)
        if examination.examined != kept.written:
            raise ValueError("its note is of other bytes")
        return examination
    examination = Examination(**arguments)
    if isinstance(kept, ResumableSink):
        for piece in kept.replay():
            examination.feed(piece)
    return examination


def _keep(sink: Sink, examination: Examination, chunk: bytes) -> None:
    sink.write(chunk)
    examination.feed(chunk)
