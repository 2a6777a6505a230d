"""The part of a hook that downloads results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Unpack

from airflow_provider_batchdl._airflow import metrics
from airflow_provider_batchdl._airflow.log_groups import log_group
from airflow_provider_batchdl._airflow.tracing import span
from airflow_provider_batchdl._redaction.tracebacks import brief
from airflow_provider_batchdl._values.arguments import whole_number
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.hooks._client import ClientHook
from airflow_provider_batchdl.options import DEFAULTS, DownloadKeywords, DownloadOptions, spell_out

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_batchdl.jobs import Job, Landing
    from airflow_provider_batchdl.transfer.progress import Progress


class ResultsHook(ClientHook):
    """Downloads the results of jobs of one account."""

    def ensure_results(self, job: Job, *, accept_partial: bool = False) -> bool:
        """True if results can be downloaded, False while the job is unfinished.

        Args:
            job: the polled job.
            accept_partial: whether the partial results of a job that did not succeed count.

        Raises:
            JobFailedError: the job failed.
            JobCancelledError: the job was cancelled, without results that may be downloaded.
        """
        if job.state.is_terminal:
            metrics.count("batchdl.jobs", vendor=self.vendor.name, state=job.state.value)
        with brief():
            return self.vendor.ensure_results(job, accept_partial=accept_partial)

    @spell_out
    def download(
        self,
        job_id: str,
        destination: str | ObjectStoragePath,
        options: DownloadOptions = DEFAULTS,
        *,
        progress: Callable[[], Progress] | None = None,
        **given: Unpack[DownloadKeywords],
    ) -> Landing:
        """Download a job's result files to a destination: whole and verified, or nothing.

        Args:
            job_id: the vendor's id of the job.
            destination: anything ``ObjectStoragePath`` takes; ending in ``/`` a folder for the vendor's file names.
            options: how to download it.
            progress: creates, for each file, the object to report progress to; log lines if left out.
            given: single options that override those of ``options``: ``if_exists="skip"``.

        Returns:
            The landing: URI, bytes, digest and verification of each file.

        Raises:
            InvalidArgumentError: an option cannot have this value.
            EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
            DestinationError: an object is in the way, or the store refused.
            BatchDlError: any other error, typed; nothing partial is left.
        """
        from airflow_provider_batchdl.hooks._storage import destination_at
        from airflow_provider_batchdl.transfer.job_download import download
        from airflow_provider_batchdl.transfer.progress import ProgressLines

        options = options.having(given)
        job_id, place = parse_job_id(job_id), destination_at(destination)
        what = f"Downloading the result of job {job_id} from {self.vendor.label} to {destination}"
        with span("download", vendor=self.vendor.name, job_id=job_id) as note:

            def landed(landing: Landing) -> None:
                metrics.count_landing(landing)
                # No URI: it may be long and confidential.
                facts = ("bytes", "rows", "connections", "resumed", "restarted")
                note(files=len(landing.files), **{name: getattr(landing, name) for name in facts})

            return self._repeatable(
                lambda client: download(
                    client,
                    job_id,
                    place,
                    options,
                    on_landed=landed,
                    section=partial(log_group, what),
                    progress=progress or ProgressLines,
                )
            )

    @spell_out
    def fetch(
        self, job_id: str, options: DownloadOptions = DEFAULTS, *, max_bytes: int, **given: Unpack[DownloadKeywords]
    ) -> object:
        """Download a small result and parse it: JSON unchanged, JSON lines and CSV rows as a list.

        Args:
            job_id: the vendor's id of the job.
            options: how to download it. ``accept_partial``, ``on_empty`` and ``join_pages`` count here; without a
                result file, all but ``on_empty="fail"`` return ``[]``.
            max_bytes: the largest size, in bytes.
            given: single options that override those of ``options``.

        Raises:
            InvalidArgumentError: an option cannot have this value.
            EmptyResultError: there is no result file, and ``on_empty`` is ``"fail"``.
            ResultTooLargeError: it is larger; it is not downloaded whole to find out.
            BatchDlError: any other error, typed.
        """
        from airflow_provider_batchdl.transfer.job_download import fetch

        options, job_id = options.having(given), parse_job_id(job_id)
        whole_number("max_bytes", max_bytes, least=0)
        with span("download", vendor=self.vendor.name, job_id=job_id):
            return self._repeatable(lambda client: fetch(client, job_id, options, max_bytes=max_bytes))
