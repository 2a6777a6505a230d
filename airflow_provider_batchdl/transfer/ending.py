"""What becomes of bytes that are not to be published."""

from __future__ import annotations

from airflow_provider_batchdl.transfer.budget import TRY_AGAIN
from airflow_provider_batchdl.transfer.sinks import DurableSink, Sink


def leave(sink: Sink, error: BaseException | None, *, adopted: bool = False) -> None:
    """End a sink that is not to be published.

    A failure leaves nothing. What a signal or a time-out stopped is left for the next try where that can go on with
    it, and so is what an earlier try left when the source was only out of reach.
    """
    stopped = error is not None and not isinstance(error, Exception)
    if (stopped or (adopted and isinstance(error, TRY_AGAIN))) and isinstance(sink, DurableSink):
        sink.park()
    else:
        sink.discard()
