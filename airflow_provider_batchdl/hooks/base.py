"""Base hook of all vendors: submit, poll, list, cancel and download jobs."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl._airflow import metrics
from airflow_provider_batchdl._airflow.log_groups import log_group
from airflow_provider_batchdl._airflow.tracing import span
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl._values.inputs import parse_file, parse_job_id, parse_request
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks._account import get_connection, without_blocking
from airflow_provider_batchdl.hooks._files import check_file
from airflow_provider_batchdl.hooks._results import ResultsHook
from airflow_provider_batchdl.vendors.base import Submission
from airflow_provider_batchdl.vendors.listing import ListedJob, is_listed, listed

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_batchdl.client.sending import SubmitJournal
    from airflow_provider_batchdl.jobs import Job

__all__ = ["BatchApiHook"]


class BatchApiHook(ResultsHook):
    """Hook of any vendor's batch API, through an Airflow connection whose type names the vendor.

    Args:
        conn_id: the connection; the vendor's default one where left out.

    Submit, poll, list, cancel, balance and test have async twins whose names start with ``a``, for triggers; downloads
    have none. Use the hook as a context manager (``async with`` for the twins), so that its calls share HTTP
    connections which are closed at the end; a call outside of one opens and closes its own.

    If the vendor rejects the credentials, a call reloads the connection and retries once with its new credentials; a
    submit and the async twins do not. Calls raise subclasses of ``BatchDlError``.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str] = "batchdl_default"
    conn_type: ClassVar[str] = "batchdl"
    hook_name: ClassVar[str] = "Batch API"

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(self.default_conn_name if conn_id is None else conn_id, **kwargs)

    @classmethod
    def for_connection(cls, conn_id: str) -> BatchApiHook:
        """The hook of the vendor that the connection's type names.

        Raises:
            InvalidConnectionError: Airflow does not find the connection, or cannot read it.
        """
        connection = get_connection(conn_id)
        kind = BatchApiHook
        if vendors.is_built_in(name := connection.conn_type or ""):
            module = import_module(f"airflow_provider_batchdl.hooks.{name}")
            kind = getattr(module, module.__all__[0])
        hook = kind(conn_id)
        hook._connection = connection
        return hook

    @property
    def _wanted_type(self) -> str | None:
        return None if self.conn_type == BatchApiHook.conn_type else self.conn_type

    # Jobs.

    def submit_job(
        self,
        request: Mapping[str, Any] | str | None = None,
        file: str | PathLike[str] | ObjectStoragePath | None = None,
        *,
        key: str | None = None,
        known_job_ids: Collection[str] = (),
        journal: SubmitJournal | None = None,
    ) -> Job:
        """Submit a job, once: the request is not retried if the vendor may have accepted it.

        Args:
            request: the vendor's request, see the vendor's page in the documentation; a dict, or JSON text.
            file: path or URL of the file to upload, anything ``ObjectStoragePath`` takes.
            key: a token by which to find the job if the response is lost; random if left out.
            known_job_ids: ids of jobs that were submitted before, none of which is adopted as this one.
            journal: called right before the request's first byte is sent; may prevent it by raising.

        Returns:
            The job as the vendor describes it.

        Raises:
            InvalidRequestError: the request or the file is not what the vendor accepts; nothing was sent.
            SubmitUncertainError: the response was lost, and the job cannot be found.
            BatchDlError: any other error, typed.
        """
        submission, vendor = _submission(request, file, key, known_job_ids), self.vendor
        check_file(vendor, submission.file)
        what = f"Submitting {submission.file or 'a request'} to {vendor.label}, through connection {self.conn_id}"
        with log_group(what), span("submit", vendor=vendor.name) as note:
            job = self._once(lambda client: client.run(client.vendor.submit_once(submission), journal=journal))
            note(job_id=job.id)
        return job

    async def asubmit_job(
        self,
        request: Mapping[str, Any] | str | None = None,
        file: str | PathLike[str] | ObjectStoragePath | None = None,
        *,
        key: str | None = None,
        known_job_ids: Collection[str] = (),
    ) -> Job:
        """As :meth:`submit_job`. Reading ``file`` blocks the event loop."""
        submission = _submission(request, file, key, known_job_ids)
        await without_blocking(check_file, await self.avendor(), submission.file)
        return await self._arun(lambda vendor: vendor.submit_once(submission))

    def find_submitted(
        self,
        request: dict[str, Any] | None,
        file: str | None,
        *,
        key: str,
        submitted_at: datetime,
        known_job_ids: Collection[str] = (),
    ) -> Job | None:
        """Find the job of a submit that got no response; None if there is none.

        Raises:
            SubmitUncertainError: the vendor's list is incomplete.
        """
        submission = Submission(request or {}, file, key, submitted_at, known_job_ids)
        return self._run(lambda vendor: vendor.search_submitted(submission))

    def get_job(self, job_id: str) -> Job:
        """Poll one job.

        Raises:
            JobNotFoundError: the vendor does not know the job.
        """
        job = self._run(lambda vendor: vendor.get_job(parse_job_id(job_id)))
        metrics.count("batchdl.polls", vendor=self.vendor.name, kind="single")
        return job

    async def aget_job(self, job_id: str) -> Job:
        """As :meth:`get_job`."""
        job = await self._arun(lambda vendor: vendor.get_job(parse_job_id(job_id)))
        metrics.count("batchdl.polls", vendor=self.vendor.name, kind="single")
        return job

    def list_jobs(self) -> list[Job]:
        """List the account's jobs, in the vendor's order.

        Raises:
            UnsupportedOperationError: its API has no list (Proofy).
        """
        return self._run(lambda vendor: vendor.list_jobs())

    async def alist_jobs(self) -> list[Job]:
        """As :meth:`list_jobs`."""
        return await self._arun(lambda vendor: vendor.list_jobs())

    def list_with_times(self) -> list[ListedJob]:
        """List the account's jobs with their times of creation and change, where the vendor's list has them."""
        return self._run(listed)

    def is_listed(self, job_id: str) -> bool:
        """True if the vendor's list shows a job, or may show it; False without a list, or if access is refused."""
        try:
            return self._run(lambda vendor: is_listed(vendor, parse_job_id(job_id)))
        except BatchDlError as error:
            if error.retryable:
                raise
            return False

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job; it is no error if it is already cancelled.

        Raises:
            UnsupportedOperationError: the vendor's API cannot cancel (Batch.com).
        """
        job = self._run(lambda vendor: vendor.ensure_cancelled(parse_job_id(job_id)))
        metrics.count("batchdl.cancels", vendor=self.vendor.name)
        return job

    async def acancel_job(self, job_id: str) -> Job:
        """As :meth:`cancel_job`."""
        job = await self._arun(lambda vendor: vendor.ensure_cancelled(parse_job_id(job_id)))
        metrics.count("batchdl.cancels", vendor=self.vendor.name)
        return job

    def get_balance(self) -> int | None:
        """Credits left; None if the API does not report them."""
        return self._run(lambda vendor: vendor.get_balance())

    async def aget_balance(self) -> int | None:
        """As :meth:`get_balance`."""
        return await self._arun(lambda vendor: vendor.get_balance())


def _submission(request: Any, file: Any, key: str | None, known_job_ids: Collection[str]) -> Submission:
    return Submission(
        parse_request(request), parse_file(file), key or uuid.uuid4().hex[:12], times.now(), known_job_ids
    )
