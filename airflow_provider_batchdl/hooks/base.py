"""The hook of every vendor: what can be asked about jobs and their results."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow_provider_batchdl import metrics, redaction
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.client import ClientHook
from airflow_provider_batchdl.sections import log_group
from airflow_provider_batchdl.storable import words_of
from airflow_provider_batchdl.tracing import note_landing, span
from airflow_provider_batchdl.vendors.base import Submission
from airflow_provider_batchdl.vendors.listing import is_listed

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_batchdl.client.sending import SubmitJournal
    from airflow_provider_batchdl.jobs import Job, Landing
    from airflow_provider_batchdl.transfer.progress import Progress

# A person waits in front of the Test button.
TEST_SECONDS = 10.0


class BatchApiHook(ClientHook):
    """Any vendor's batch API, through an Airflow connection whose type names the vendor.

    Args:
        conn_id: the connection; the vendor's default one where left out.

    Every method has an async twin whose name starts with ``a``, for triggers. Use the hook as a context manager
    (``async with`` for the twins), so that its calls share connections which are closed at the end; a call made
    outside of one opens and closes its own.

    Where the vendor refuses the key, a call reads the connection once more, and goes on with the key that it has by
    then; a submit and the async twins do not.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str] = "batchdl_default"
    conn_type: ClassVar[str] = "batchdl"
    hook_name: ClassVar[str] = "Batch API"

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(conn_id or self.default_conn_name, **kwargs)

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

    # Jobs.

    def submit_job(
        self,
        request: dict[str, Any] | None = None,
        file: str | None = None,
        *,
        key: str | None = None,
        earlier: Collection[str] = (),
        journal: SubmitJournal | None = None,
    ) -> Job:
        """Submit a job, once: it is not sent again where the vendor may have taken it.

        Args:
            request: the vendor's request, see the vendor's page in the documentation.
            file: path or URL of the file to upload, anything ``ObjectStoragePath`` takes.
            key: a token to find the job again by, if the answer is lost; a random one where left out.
            earlier: ids of jobs that were submitted before: none of them is this one, however much alike.
            journal: is told right before the request's first byte goes, and can keep it from going.

        Raises:
            SubmitUncertainError: the answer was lost, and the job cannot be found.
            BatchDlError: what else went wrong, typed.
        """
        submission = _submission(request, file, key, earlier)
        vendor = self.vendor
        what = f"Submitting {file or 'a request'} to {vendor.label}, through connection {self.conn_id}"
        with log_group(what), span("submit", vendor=vendor.name) as note:
            job = self._once(lambda client: client.run(client.vendor.submit_once(submission), journal=journal))
            note(job_id=job.id)
        return job

    async def asubmit_job(
        self,
        request: dict[str, Any] | None = None,
        file: str | None = None,
        *,
        key: str | None = None,
        earlier: Collection[str] = (),
    ) -> Job:
        """As :meth:`submit_job`. Reading ``file`` blocks the event loop."""
        submission = _submission(request, file, key, earlier)
        return await self._arun(lambda vendor: vendor.submit_once(submission))

    def find_submitted(
        self,
        request: dict[str, Any] | None,
        file: str | None,
        *,
        key: str,
        submitted_at: datetime,
        earlier: Collection[str] = (),
    ) -> Job | None:
        """The job of a lost submit, None where it is not found; ``SubmitUncertainError`` if the list hides a part."""
        submission = Submission(request or {}, file, key, submitted_at, earlier)
        return self._run(lambda vendor: vendor.find_submitted(submission))

    def get_job(self, job_id: str) -> Job:
        """Look at one job."""
        job = self._run(lambda vendor: vendor.get_job(str(job_id)))
        metrics.count_poll(self.vendor.name)
        return job

    async def aget_job(self, job_id: str) -> Job:
        """As :meth:`get_job`."""
        job = await self._arun(lambda vendor: vendor.get_job(str(job_id)))
        metrics.count_poll(self.vendor.name)
        return job

    def list_jobs(self) -> list[Job]:
        """The jobs that the vendor lists.

        Raises:
            UnsupportedOperationError: its API has no list (Proofy).
        """
        return self._run(lambda vendor: vendor.list_jobs())

    async def alist_jobs(self) -> list[Job]:
        """As :meth:`list_jobs`."""
        return await self._arun(lambda vendor: vendor.list_jobs())

    def is_listed(self, job_id: str) -> bool:
        """Whether the vendor's list shows a job, or may; False where it has none, or refuses to show it."""
        try:
            return self._run(lambda vendor: is_listed(vendor, str(job_id)))
        except BatchDlError as error:
            if error.retryable:
                raise
            return False

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job; one that is already cancelled is no error.

        Raises:
            UnsupportedOperationError: the vendor's API cannot cancel (Batch.com).
        """
        job = self._run(lambda vendor: vendor.cancel_job(str(job_id)))
        metrics.count_cancel(self.vendor.name)
        return job

    async def acancel_job(self, job_id: str) -> Job:
        """As :meth:`cancel_job`."""
        job = await self._arun(lambda vendor: vendor.cancel_job(str(job_id)))
        metrics.count_cancel(self.vendor.name)
        return job

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
            return False, redaction.redact(words_of(error))

    async def atest_connection(self) -> tuple[bool, str]:
        """As :meth:`test_connection`."""
        try:
            return True, await self._arun(lambda vendor: vendor.check())
        except (BatchDlError, LookupError) as error:
            return False, redaction.redact(words_of(error))

    # Results.

    def download(
        self,
        job_id: str,
        destination: str | ObjectStoragePath,
        *,
        accept_partial: bool = False,
        manifest: bool | None = None,
        if_exists: str = "replace",
        on_empty: str = "fail",
        sha256: bool = True,
        max_connections: int | None = None,
        progress: Callable[[], Progress] | None = None,
    ) -> Landing:
        """Land a job's result files: whole and verified, or nothing.

        Args:
            job_id: the vendor's id of the job.
            destination: anything ``ObjectStoragePath`` takes; ending in ``/`` a folder for the vendor's file names.
            accept_partial: take what a cancelled job left, where the vendor keeps it.
            manifest: whether to write ``_manifest.json``; None for only beside several files, or to ``"skip"``.
            if_exists: ``"replace"`` what is at the destination; raise an ``"error"`` before anything is downloaded; or
                ``"skip"`` where the manifest there says that it is this job's result, and replace it else.
            on_empty: for a job that succeeded and lists no result file: ``"fail"`` raises; ``"skip"`` returns an empty
                landing and touches nothing; ``"land"`` replaces what is at the destination with nothing.
            sha256: whether to compute the files' SHA-256; a checksum that the source declares is checked all the same.
            max_connections: the most to fetch one large file by, 8 where left out; 1 for never more than one.
            progress: makes, for each file, what is told how far it is; lines in the log where left out.

        Raises:
            EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
            DestinationError: something is in the way, or the store refused.
            BatchDlError: what went wrong, typed; nothing partial is left.
        """
        from airflow_provider_batchdl.hooks.storage import destination_at
        from airflow_provider_batchdl.transfer.landing import download
        from airflow_provider_batchdl.transfer.progress import ProgressLines

        place = destination_at(destination)
        what = f"Downloading the result of job {job_id} from {self.vendor.label} to {destination}"
        with span("download", vendor=self.vendor.name, job_id=str(job_id)) as note:

            def landed(landing: Landing) -> None:
                metrics.count_landing(landing)
                note_landing(note, landing)

            return self._repeatable(
                lambda client: download(
                    client,
                    str(job_id),
                    place,
                    accept_partial=accept_partial,
                    manifest=manifest,
                    if_exists=if_exists,
                    on_empty=on_empty,
                    sha256=sha256,
                    connections=max_connections,
                    on_landed=landed,
                    section=partial(log_group, what),
                    progress=progress or ProgressLines,
                )
            )

    def fetch(self, job_id: str, *, max_bytes: int, accept_partial: bool = False, on_empty: str = "fail") -> object:
        """A small result, parsed: JSON as it is, JSON lines and CSV rows as a list.

        Args:
            job_id: the vendor's id of the job.
            max_bytes: the most it may have, in bytes.
            accept_partial: take what a cancelled job left, where the vendor keeps it.
            on_empty: for a job that succeeded and lists no result file: ``"fail"`` raises, the others return ``[]``.

        Raises:
            EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
            ResultTooLargeError: it is larger; it is not read whole to find out.
            BatchDlError: what else went wrong, typed.
        """
        from airflow_provider_batchdl.transfer.landing import fetch

        with span("download", vendor=self.vendor.name, job_id=str(job_id)):
            return self._repeatable(
                lambda client: fetch(
                    client, str(job_id), max_bytes=max_bytes, accept_partial=accept_partial, on_empty=on_empty
                )
            )


def _submission(
    request: dict[str, Any] | None, file: str | None, key: str | None, earlier: Collection[str]
) -> Submission:
    return Submission(request or {}, file, key or uuid.uuid4().hex[:12], datetime.now(UTC), earlier)
