"""End a failed transfer: suspend or discard its bytes, and add the job to its error."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.sinks.base import DurableSink, Sink
from airflow_provider_batchdl.transfer.source.retry_budget import TRY_AGAIN

Work = TypeVar("Work", bound=Callable[..., Any])


def names_the_job(work: Work) -> Work:
    """Decorate ``work`` on a job so that each of its errors names the vendor, the job and the connection."""

    @wraps(work)
    def named(client: BatchClient, job_id: str, *args: Any, **arguments: Any) -> Any:
        try:
            return work(client, job_id, *args, **arguments)
        except BatchDlError as error:
            error.concerns(vendor=client.vendor.name, job_id=job_id, conn_id=client.vendor.account.conn_id)
            raise

    return cast("Work", named)


def close_unpublished(sink: Sink, error: BaseException | None, *, adopted: bool = False) -> None:
    """End a sink without publishing it.

    A failure discards its bytes. They are suspended for the next try to resume where a signal or a time-out stopped the
    transfer, and where an earlier try left them (``adopted``) and the source was only unreachable.
    """
    stopped = error is not None and not isinstance(error, Exception)
    if (stopped or (adopted and isinstance(error, TRY_AGAIN))) and isinstance(sink, DurableSink):
        sink.suspend()
    else:
        sink.discard()
