"""What the tasks that download have in common: they land a result, or parse it, and tell Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.assets import add_partitions, checked_partitions, tell_outlets
from airflow_provider_batchdl.lineage import DownloadLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook


class LandsResults:
    """Mixed into an operator that has these arguments; see ``DownloadBatchResultsOperator`` for what they mean."""

    outlets: list[Any]
    destination: str | None
    accept_partial: bool
    max_xcom_bytes: int
    manifest: bool | None
    if_exists: str
    sha256: bool
    max_connections: int | None
    partition_key: str | list[str] | None
    _lineage: DownloadLineage | None = None

    def _prepare(self, context: Context) -> None:
        """Refuse what would only show after the download.

        Raises:
            InvalidRequestError: the task's ``partition_key`` is of no use.
        """
        checked_partitions(context, self.outlets, self.partition_key)

    def _name(self, hook: BatchApiHook, job_id: str) -> None:
        """Name the job to OpenLineage, however the task ends."""
        self._lineage = DownloadLineage.of(hook.vendor, job_id, self.outlets)

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        """Download a job's results; the landing as a dict, or the parsed result where there is no destination."""
        self._name(hook, job_id)
        partitions = checked_partitions(context, self.outlets, self.partition_key)
        if self.destination is None:
            value = hook.fetch(job_id, max_bytes=self.max_xcom_bytes, accept_partial=self.accept_partial)
            add_partitions(context, self.outlets, partitions)
            return value
        landing = hook.download(
            job_id,
            self.destination,
            accept_partial=self.accept_partial,
            manifest=self.manifest,
            if_exists=self.if_exists,
            sha256=self.sha256,
            max_connections=self.max_connections,
        )
        self._lineage = DownloadLineage.of(hook.vendor, job_id, self.outlets, landing)
        tell_outlets(context, self.outlets, landing, str(self.destination))
        add_partitions(context, self.outlets, partitions)
        return landing.to_dict()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What Airflow's OpenLineage provider asks for when the task has ended well."""
        return self._lineage and self._lineage.facets()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The same where it has failed: the job, as far as there was one by then."""
        return self._lineage and self._lineage.facets()
