"""CRCs beside a sink's bytes, so that another process can resume both.

Bytes that can be read back are verified again; of others, the sink stores the CRCs so far at each checkpoint.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink, DurableSink, ScatteredSink, Sink
from airflow_provider_batchdl.transfer.verify.verifier import Verifier


def write_and_verify(sink: Sink, verifier: Verifier, chunk: bytes) -> None:
    """Write ``chunk`` and feed it to the verifier, with a checkpoint at each byte where the sink asks for one.

    Args:
        sink: a `CheckpointedSink`, or any other.
        verifier: has been fed exactly what the sink holds.
        chunk: the next bytes.
    """
    # Not `isinstance`: that would check every member of the protocol, for every chunk.
    while (due := getattr(sink, "next_checkpoint", None)) is not None and sink.written + len(chunk) >= due:
        count = due - sink.written
        _write(sink, verifier, chunk[:count])
        chunk = chunk[count:]
        sink.checkpoint(verifier.checkpoint())  # type: ignore[attr-defined]
    if chunk:
        _write(sink, verifier, chunk)


def restored_verifier(resumable: DurableSink, arguments: dict[str, Any]) -> Verifier:
    """The verifier's state after the bytes that an earlier try left.

    Raises:
        BatchDlError: they are not those of a result.
        ValueError: their checksums cannot be continued.
    """
    if isinstance(resumable, CheckpointedSink):
        return Verifier(**arguments, resumed=resumable.crcs, resumed_at=resumable.written)
    verifier = Verifier(**arguments)
    if isinstance(resumable, ScatteredSink):
        for piece in resumable.replay():
            verifier.feed(piece)
    return verifier


def _write(sink: Sink, verifier: Verifier, chunk: bytes) -> None:
    sink.write(chunk)
    verifier.feed(chunk)
