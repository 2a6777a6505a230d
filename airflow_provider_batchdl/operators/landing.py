"""What the tasks that download have in common: they land a result, or parse it, and tell Airflow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.assets import add_partitions, checked_partitions, tell_outlets
from airflow_provider_batchdl.exceptions import EmptyResultError
from airflow_provider_batchdl.failures import AirflowSkipException
from airflow_provider_batchdl.lineage import JobLineage, TellsLineage
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.storable import storable
from airflow_provider_batchdl.waiting import until_found

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.jobs import Landing

log = get_logger(__name__)


class LandsResults(TellsLineage):
    """Mixed into an operator that has these arguments; see ``DownloadBatchResultsOperator`` for what they mean."""

    file: str | None = None  # of a task that has submitted it, too
    destination: str | None
    accept_partial: bool
    max_xcom_bytes: int
    manifest: bool | None
    if_exists: str
    on_empty: str
    sha256: bool
    max_connections: int | None
    partition_key: str | list[str] | None

    def _prepare(self, context: Context) -> None:
        """Refuse what would only show after the download.

        Raises:
            InvalidRequestError: the task's ``destination``, ``partition_key``, ``if_exists`` or ``on_empty`` is of no
                use.
            DestinationError: the destination cannot be used.
        """
        from airflow_provider_batchdl.transfer.existing import checked_on_empty, checked_policy

        if self.destination is not None:
            from airflow_provider_batchdl.hooks.storage import destination_at

            destination_at(self.destination)
        checked_policy(self.if_exists)
        checked_on_empty(self.on_empty)
        checked_partitions(context, self.outlets, self.partition_key)

    def _note_lineage(self, hook: BatchApiHook, job_id: str, landing: Landing | None = None) -> None:
        """Note what OpenLineage is to be told, however the task ends."""
        self._lineage = JobLineage.of(self, hook.vendor, job_id, file=self.file, landing=landing)

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        """Download a job's results; the landing as a dict, or the parsed result where there is no destination."""
        self._note_lineage(hook, job_id)
        partitions = checked_partitions(context, self.outlets, self.partition_key)
        if self.destination is None:
            value = until_found(partial(self._fetch, hook, job_id), partial(hook.is_listed, job_id))
            add_partitions(context, self.outlets, partitions)
            return _as_stored(value, job_id)
        download = partial(
            hook.download,
            job_id,
            self.destination,
            accept_partial=self.accept_partial,
            manifest=self.manifest,
            if_exists=self.if_exists,
            on_empty=self.on_empty,
            sha256=self.sha256,
            max_connections=self.max_connections,
        )
        landing = until_found(download, partial(hook.is_listed, job_id))
        if not landing.files and self.on_empty == "skip":
            raise _skipped(job_id)
        self._note_lineage(hook, job_id, landing)
        tell_outlets(context, self.outlets, landing, str(self.destination))
        add_partitions(context, self.outlets, partitions)
        return landing.to_dict()

    def _fetch(self, hook: BatchApiHook, job_id: str) -> object:
        on_empty = "land" if self.on_empty == "land" else "fail"
        try:
            return hook.fetch(
                job_id, max_bytes=self.max_xcom_bytes, accept_partial=self.accept_partial, on_empty=on_empty
            )
        except EmptyResultError:
            if self.on_empty == "skip":
                raise _skipped(job_id) from None
            raise


def as_given(destination: Any) -> Any:
    """An operator's argument ``destination``, with what Airflow's rendering of templates would drop of it."""
    # An ObjectStoragePath, of universal-pathlib since 0.3 or before; to import it would make every DAG file slow.
    if hasattr(destination, "__wrapped__") or hasattr(destination, "_raw_paths"):
        from airflow_provider_batchdl.hooks.storage import was_written_as_folder

        text = str(destination)
        return f"{text.rstrip('/')}/" if was_written_as_folder(destination) else destination
    return destination


def _as_stored(value: object, job_id: str) -> object:
    """A result as an XCom can hold it."""
    stored = storable(value)
    if stored != value:
        log.warning(
            "The result of job %s has what Airflow cannot store (NaN, U+0000, half of a surrogate pair, a very large "
            "number); it is replaced in XCom. Set a destination to have the result as it is.",
            job_id,
        )
    return stored


def _skipped(job_id: str) -> AirflowSkipException:
    return AirflowSkipException(f"Job {job_id} has no result file.")
