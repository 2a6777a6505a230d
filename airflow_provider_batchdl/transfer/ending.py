"""How a transfer ends that fails: what becomes of its bytes, and what its error says."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.budget import TRY_AGAIN
from airflow_provider_batchdl.transfer.sinks import DurableSink, Sink

Work = TypeVar("Work", bound=Callable[..., Any])


def names_the_job(work: Work) -> Work:
    """``work`` on a job of a client, each of whose errors says whose job it was: the disk's and the store's, too."""

    @wraps(work)
    def named(client: BatchClient, job_id: str, *args: Any, **arguments: Any) -> Any:
        try:
            return work(client, job_id, *args, **arguments)
        except BatchDlError as error:
            error.concerns(vendor=client.vendor.name, job_id=job_id)
            raise

    return cast("Work", named)


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
