"""The hook of every vendor: an Airflow connection, turned into the account's client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from airflow.sdk import BaseHook

from airflow_provider_batchdl import metrics, redaction
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.hooks.account import aget_connection, open_source, vendor_for
from airflow_provider_batchdl.vendors.base import Flow, Submission, Vendor

if TYPE_CHECKING:
    from airflow.sdk import Connection, ObjectStoragePath

    from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient
    from airflow_provider_batchdl.jobs import Job, Landing

T = TypeVar("T")

# A person waits in front of the Test button.
TEST_SECONDS = 10.0


class BatchApiHook(BaseHook):
    """Any vendor's batch API, through an Airflow connection whose type names the vendor.

    Args:
        conn_id: the connection; the vendor's default one where left out.

    Every method has an async twin whose name starts with ``a``, for triggers. Use the hook as a context manager
    (``async with`` for the twins), so that its calls share connections which are closed at the end; a call made
    outside of one opens and closes its own.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str] = "batchdl_default"
    conn_type: ClassVar[str] = "batchdl"
    hook_name: ClassVar[str] = "Batch API"

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name
        self._connection: Connection | None = None
        self._client: BatchClient | None = None
        self._async_client: AsyncBatchClient | None = None

    @classmethod
    def for_connection(cls, conn_id: str) -> BatchApiHook:
        """The hook of the vendor that the connection's type names."""
        connection = cls.get_connection(conn_id)
        name = connection.conn_type
        module = f"airflow_provider_batchdl.hooks.{name}"
        try:
            known = name and name.isidentifier()
            hook_class = getattr(import_module(module), "HOOK", BatchApiHook) if known else BatchApiHook
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            hook_class = BatchApiHook
        hook = cast("BatchApiHook", hook_class(conn_id))
        hook._connection = connection
        return hook

    # From the connection to the account.

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor, with this connection's account."""
        # Secrets backends are slow, and some are paid for by the question.
        return vendor_for(self._connection or self.get_connection(self.conn_id))

    async def avendor(self) -> Vendor:
        """The vendor, with this connection's account, looked up without blocking the event loop."""
        if "vendor" not in self.__dict__:
            # In a thread, since Airflow masks secrets by asking the supervisor, and waits for the answer.
            self.__dict__["vendor"] = await asyncio.to_thread(vendor_for, await aget_connection(self.conn_id))
        return self.vendor

    @property
    def poll_interval(self) -> float:
        """Seconds between looks at a job: the connection extra ``poll_interval``, else the vendor's."""
        return self._seconds("poll_interval") or self.vendor.poll_interval

    @property
    def max_poll_interval(self) -> float | None:
        """Most seconds between looks at a job that takes long: the connection extra of that name."""
        return self._seconds("max_poll_interval")

    def _seconds(self, name: str) -> float | None:
        text = self.vendor.account.text(name)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise InvalidRequestError(
                f"The connection's {name} {text!r} is no number of seconds.", remedy='Set it like "30".'
            )
        return seconds

    def get_conn(self) -> BatchClient:
        """The account's client, open until :meth:`close`."""
        if self._client is None:
            from airflow_provider_batchdl.client import BatchClient

            self._client = BatchClient(self.vendor, opener=open_source)
        return self._client

    def close(self) -> None:
        """Close the client's connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self) -> Self:
        self.get_conn()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _open_client(self) -> Iterator[BatchClient]:
        """The client that is open, or one for as long as it is needed."""
        if self._client is not None:
            yield self._client
            return
        client = self.get_conn()
        try:
            yield client
        finally:
            self.close()

    async def __aenter__(self) -> Self:
        from airflow_provider_batchdl.client import AsyncBatchClient

        self._async_client = AsyncBatchClient(await self.avendor(), opener=open_source)
        return self

    async def __aexit__(self, *_: object) -> None:
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.aclose()

    def _run(self, flow_of: Callable[[Vendor], Flow[T]]) -> T:
        with self._open_client() as client:
            return client.run(flow_of(client.vendor))

    async def _arun(self, flow_of: Callable[[Vendor], Flow[T]]) -> T:
        if self._async_client is not None:
            return await self._async_client.run(flow_of(self._async_client.vendor))
        from airflow_provider_batchdl.client import AsyncBatchClient

        async with AsyncBatchClient(await self.avendor(), opener=open_source) as client:
            return await client.run(flow_of(client.vendor))

    # Jobs.

    def submit_job(
        self, request: dict[str, Any] | None = None, file: str | None = None, *, key: str | None = None
    ) -> Job:
        """Submit a job, once: it is not sent again where the vendor may have taken it.

        Args:
            request: the vendor's request, see the vendor's page in the documentation.
            file: path or URL of the file to upload, anything ``ObjectStoragePath`` takes.
            key: a token to find the job again by, if the answer is lost; a random one where left out.

        Raises:
            SubmitUncertainError: the answer was lost, and the job cannot be found.
            BatchDlError: what else went wrong, typed.
        """
        submission = _submission(request, file, key)
        return self._run(lambda vendor: vendor.submit_once(submission))

    async def asubmit_job(
        self, request: dict[str, Any] | None = None, file: str | None = None, *, key: str | None = None
    ) -> Job:
        """As :meth:`submit_job`. Reading ``file`` blocks the event loop."""
        submission = _submission(request, file, key)
        return await self._arun(lambda vendor: vendor.submit_once(submission))

    def find_submitted(
        self, request: dict[str, Any] | None, file: str | None, *, key: str, submitted_at: datetime
    ) -> Job | None:
        """The job of a submit whose answer was lost, None where it cannot be found. Arguments as for it."""
        submission = Submission(request or {}, file, key, submitted_at)
        return self._run(lambda vendor: vendor.find_submitted(submission))

    def get_job(self, job_id: str) -> Job:
        """Look at one job."""
        return self._run(lambda vendor: vendor.get_job(str(job_id)))

    async def aget_job(self, job_id: str) -> Job:
        """As :meth:`get_job`."""
        return await self._arun(lambda vendor: vendor.get_job(str(job_id)))

    def list_jobs(self) -> list[Job]:
        """The jobs that the vendor lists.

        Raises:
            UnsupportedOperationError: its API has no list (Proofy).
        """
        return self._run(lambda vendor: vendor.list_jobs())

    async def alist_jobs(self) -> list[Job]:
        """As :meth:`list_jobs`."""
        return await self._arun(lambda vendor: vendor.list_jobs())

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job; one that is already cancelled is no error.

        Raises:
            UnsupportedOperationError: the vendor's API cannot cancel (Batch.com).
        """
        return self._run(lambda vendor: vendor.cancel_job(str(job_id)))

    async def acancel_job(self, job_id: str) -> Job:
        """As :meth:`cancel_job`."""
        return await self._arun(lambda vendor: vendor.cancel_job(str(job_id)))

    def get_balance(self) -> int | None:
        """Credits left, or None where the API does not tell."""
        return self._run(lambda vendor: vendor.get_balance())

    async def aget_balance(self) -> int | None:
        """As :meth:`get_balance`."""
        return await self._arun(lambda vendor: vendor.get_balance())

    def has_results(self, job: Job, *, accept_partial: bool = False) -> bool:
        """Whether results can be downloaded; raises where they never will. See ``Vendor.has_results``."""
        metrics.count_end(self.vendor.name, job)
        return self.vendor.has_results(job, accept_partial=accept_partial)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the vendor, once, whether it accepts the credentials: what the Test button shows."""
        from airflow_provider_batchdl.client import BatchClient

        try:
            with BatchClient(self.vendor, single_try=TEST_SECONDS) as client:
                return True, client.run(client.vendor.check())
        except (BatchDlError, LookupError) as error:
            return False, redaction.redact(str(error))

    async def atest_connection(self) -> tuple[bool, str]:
        """As :meth:`test_connection`."""
        try:
            return True, await self._arun(lambda vendor: vendor.check())
        except (BatchDlError, LookupError) as error:
            return False, redaction.redact(str(error))

    # Results.

    def download(
        self,
        job_id: str,
        destination: str | ObjectStoragePath,
        *,
        accept_partial: bool = False,
        manifest: bool | None = None,
        if_exists: str = "replace",
        sha256: bool = True,
        max_connections: int | None = None,
    ) -> Landing:
        """Land a job's result files: whole and verified, or nothing.

        Args:
            job_id: the vendor's id of the job.
            destination: anything ``ObjectStoragePath`` takes; ending in ``/`` a folder for the vendor's file names.
            accept_partial: take what a cancelled job left, where the vendor keeps it.
            manifest: whether to write ``_manifest.json``; None for only beside several files, or to ``"skip"``.
            if_exists: ``"replace"`` what is at the destination; raise an ``"error"`` before anything is downloaded; or
                ``"skip"`` where the manifest there says that it is this job's result, and replace it else.
            sha256: whether to compute the files' SHA-256; a checksum that the source declares is checked all the same.
            max_connections: the most to fetch one large file by, 8 where left out; 1 for never more than one.

        Raises:
            DestinationError: something is in the way, or the store refused.
            BatchDlError: what went wrong, typed; nothing partial is left.
        """
        from airflow_provider_batchdl.hooks.storage import destination_at
        from airflow_provider_batchdl.transfer.landing import download

        place = destination_at(destination)
        with self._open_client() as client:
            return download(
                client,
                str(job_id),
                place,
                accept_partial=accept_partial,
                manifest=manifest,
                if_exists=if_exists,
                sha256=sha256,
                connections=max_connections,
                on_landed=metrics.count_landing,
            )

    def fetch(self, job_id: str, *, max_bytes: int, accept_partial: bool = False) -> object:
        """A small result, parsed: JSON as it is, JSON lines and CSV rows as a list.

        Args:
            job_id: the vendor's id of the job.
            max_bytes: the most it may have, in bytes.
            accept_partial: take what a cancelled job left, where the vendor keeps it.

        Raises:
            ResultTooLargeError: it is larger; it is not read whole to find out.
            BatchDlError: what else went wrong, typed.
        """
        from airflow_provider_batchdl.transfer.landing import fetch

        with self._open_client() as client:
            return fetch(client, str(job_id), max_bytes=max_bytes, accept_partial=accept_partial)


def _submission(request: dict[str, Any] | None, file: str | None, key: str | None) -> Submission:
    return Submission(request or {}, file, key or uuid.uuid4().hex[:12], datetime.now(UTC))
