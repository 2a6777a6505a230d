"""Checks of a task's rendered destination before a job is paid for."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import BatchDlError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.options import DownloadOptions

log = get_logger(__name__)


def check_place(destination: Any, options: DownloadOptions | None = None) -> None:
    """Refuse a destination that cannot be used; with ``options``, check at the store, too.

    Raises:
        InvalidRequestError: it would lead elsewhere than where it seems to.
        DestinationError: no provider serves it, its connection cannot be read, or the store would refuse a result.
    """
    from airflow_provider_batchdl.hooks._storage import destination_at

    place = destination_at(destination)
    if options is not None:
        from airflow_provider_batchdl.transfer.probe import probe

        probe(place, options)


def warn_of_replacing(
    destination: Any, options: DownloadOptions, context: Context, vendor: str, own_jobs: Collection[str]
) -> None:
    """Log a warning if the manifest at a destination names another job's result, which would be replaced.

    With ``keep="latest"`` the user wants that, unless the result was written after the run started: then it is another
    task's, or another mapped task instance's. No error here keeps the job from being submitted.

    Args:
        destination: as Airflow rendered it; None for a result that goes into XCom.
        options: how the new result is to be downloaded.
        context: the running task's.
        vendor: the name of the new job's vendor.
        own_jobs: ids of the jobs that the task submitted before: a cleared task may replace its own.
    """
    if destination is None:
        return
    from airflow_provider_batchdl.hooks._storage import destination_at
    from airflow_provider_batchdl.transfer.probe import to_be_replaced

    record = None
    with suppress(BatchDlError):  # it was checked already, so this is a store that cannot be reached at the moment
        record = to_be_replaced(destination_at(destination), options)
    landing = record.landing if record else None
    if record is None or landing is None or (landing.vendor == vendor and landing.job_id in own_jobs):
        return
    if options.keep == "latest":
        started: Any = getattr(context.get("dag_run"), "start_date", None)
        if started is None or record.written is None or record.written.timestamp() < started.timestamp():
            return
        remedy = "Give each its own destination"
    else:
        remedy = 'Give each its own destination, or set keep="latest" if only the last result is wanted'
    others = f" and {len(landing.files) - 1} more" if len(landing.files) > 1 else ""
    log.warning(
        "The new job will replace the result of job %s, %s%s, written by another task, run or mapped instance. %s",
        landing.job_id,
        landing.files[0].uri,
        others,
        remedy,
    )


def warn_of_members(destination: Any, options: DownloadOptions, context: Context, vendor: str, job_id: str) -> None:
    """Log a warning if a mapped task is about to replace what another instance of it landed during this run.

    :func:`warn_of_replacing` before the submit, and the check of the DAG file, cannot see it: mapped instances that run
    at once only see of each other what has landed. With ``if_exists="error"`` the download refuses it.

    Args:
        destination: as Airflow rendered it; None for a result that goes into XCom.
        options: how the result is downloaded.
        context: the running task's.
        vendor: the name of the job's vendor.
        job_id: the job whose result lands now.
    """
    ti: Any = context["ti"]
    # A later try may replace what an earlier one of its own has published.
    started = getattr(context.get("dag_run"), "start_date", None) if ti.try_number == 1 else ti.start_date
    is_mapped = ti.map_index is not None and ti.map_index >= 0
    if destination is None or options.if_exists == "error" or not is_mapped or started is None:
        return
    from airflow_provider_batchdl.hooks._storage import destination_at
    from airflow_provider_batchdl.transfer.probe import to_be_replaced, written_at

    with suppress(BatchDlError):  # the download reports the error
        place = destination_at(destination)
        record = to_be_replaced(place, options)
        landing = record.landing if record else None
        if landing is not None and (landing.vendor, landing.job_id) == (vendor, job_id):
            return
        written = record.written if record and landing else written_at(place)
        if written is not None and written.timestamp() >= started.timestamp():
            log.warning(
                "The result of job %s replaces %s, which another member of this mapped task, or another task, has "
                "landed in the meantime%s. Put {{ ti.map_index }} into the destination, or map over it, too.",
                job_id,
                place.uri,
                f" (job {landing.job_id})" if landing else "",
            )


def as_given(destination: Any) -> Any:
    """The argument ``destination``; a path object's trailing slash, which rendering would drop, is restored."""
    # An ObjectStoragePath, of universal-pathlib since 0.3 or before; to import it would make every DAG file slow.
    if hasattr(destination, "__wrapped__") or hasattr(destination, "_raw_paths"):
        from airflow_provider_batchdl.hooks._storage import was_written_as_folder

        text = str(destination)
        return f"{text.rstrip('/')}/" if was_written_as_folder(destination) else destination
    return destination
