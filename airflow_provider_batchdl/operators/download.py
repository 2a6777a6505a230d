"""A task that lands a job's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_batchdl.failures import no_vain_retries
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.links import BatchJobLink, show_link
from airflow_provider_batchdl.operators.landing import LandsResults, as_given
from airflow_provider_batchdl.rendering import HidesSignatures

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath, XComArg

# What a metadata database bears; object storage is the place for more.
MAX_XCOM_BYTES = 48 * 1024


class DownloadBatchResultsOperator(HidesSignatures, LandsResults, BaseOperator):
    """Downloads a job's results: to object storage, or, without a destination, parsed into XCom.

    The destination holds the whole, verified result or nothing. Returns the ``Landing`` as a dict, or the parsed
    result: JSON as it is, JSON lines and CSV rows as a list.

    Args:
        conn_id: the account's connection; its type names the vendor.
        job_id: the vendor's id of the job, which must have ended: wait with ``BatchJobSensor``.
        destination: anything ``ObjectStoragePath`` takes (``s3://aws_conn@bucket/key``, ``file:///...``, an
            absolute local path); ending in ``/`` a folder for the vendor's file names.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        max_xcom_bytes: the most a result may have, in bytes, to go into XCom.
        manifest: whether to write ``_manifest.json``; only beside several files, or to ``"skip"``, where left out.
        if_exists: ``"replace"`` what is at the destination; fail with an ``"error"`` before anything is downloaded; or
            ``"skip"`` the download where the manifest there says that it is this job's result, and replace it else.
        on_empty: what becomes of a job that succeeded and has no result file: ``"fail"`` the task at once; ``"skip"``
            it, and leave the destination as it is; or ``"land"`` nothing, in place of what is at the destination. A
            file of no bytes is a result.
        sha256: whether to compute the files' SHA-256; a checksum that the source declares is checked all the same.
        max_connections: the most to fetch one large file by, where a single one is slower than the worker and the
            source serves parts of it; 8 where left out, 1 for never more than one.
        partition_key: the partition, or a list of them, that the result is of (Airflow 3.3 and later): each ``Asset``
            among the outlets has an event for each. Events are of the DAG run's partition where left out.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id", "destination", "partition_key")
    operator_extra_links = (BatchJobLink(),)
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: str | XComArg,
        destination: str | ObjectStoragePath | XComArg | None = None,
        accept_partial: bool = False,
        max_xcom_bytes: int = MAX_XCOM_BYTES,
        manifest: bool | None = None,
        if_exists: str = "replace",
        on_empty: str = "fail",
        sha256: bool = True,
        max_connections: int | None = None,
        partition_key: str | list[str] | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.job_id: str = job_id  # type: ignore[assignment] # Airflow resolves it before execute
        self.destination: str | None = as_given(destination)  # Airflow resolves it before execute
        self.accept_partial = accept_partial
        self.max_xcom_bytes = max_xcom_bytes
        self.manifest = manifest
        self.if_exists = if_exists
        self.on_empty = on_empty
        self.sha256 = sha256
        self.max_connections = max_connections
        self.partition_key: str | list[str] | None = partition_key  # type: ignore[assignment] # as above
        self.vendor_url: str | None = None

    def execute(self, context: Context) -> Any:
        """Download."""
        with no_vain_retries(), BatchApiHook.for_connection(self.conn_id) as hook:
            show_link(self, context, hook)
            self._prepare(context)
            return self._land(context, hook, self.job_id)
