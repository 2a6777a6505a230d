"""What the tasks that download have in common: they land a result, or parse it, and tell Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.assets import tell_outlets
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
    _lineage: DownloadLineage | None = None

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        """Download a job's results; the landing as a dict, or the parsed result where there is no destination."""
        if self.destination is None:
            value = hook.fetch(job_id, max_bytes=self.max_xcom_bytes, accept_partial=self.accept_partial)
            self._lineage = DownloadLineage.of(hook.vendor, job_id, None)
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
        self._lineage = DownloadLineage.of(hook.vendor, job_id, landing)
        tell_outlets(context, self.outlets, landing, str(self.destination))
        return landing.to_dict()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What Airflow's OpenLineage provider asks for when the task has ended well."""
        return self._lineage and self._lineage.facets()
