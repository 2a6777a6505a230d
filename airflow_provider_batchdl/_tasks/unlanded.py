"""Instructions for the log if a job has ended and its result did not land: the job is paid for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import has_provider_commands
from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.options import DownloadOptions

if TYPE_CHECKING:
    from airflow_provider_batchdl.exceptions import BatchDlError

log = get_logger(__name__)

# The shell's current folder: for a result that would have gone into XCom.
HERE = "./"


def log_how_to_download(error: BatchDlError, ti: Any, job_id: str, command: str) -> None:
    """Log how to get a result that is paid for."""
    if error.retryable and ti.try_number <= ti.max_tries:
        how = "The next try downloads it."
    elif has_provider_commands():
        how = f"Once the cause is fixed, this downloads it: {command}"
    else:
        how = "Once the cause is fixed, DownloadBatchResultsOperator with this job_id downloads it."
    log.warning(
        "The result of job %s is paid for and still at the vendor; clearing this task pays for a new job", job_id
    )
    log.warning("%s", how)


def download_command(conn_id: str, job_id: str, destination: object, options: DownloadOptions) -> str:
    """The command that downloads a job's result as a task would, quoted for a POSIX shell."""
    place = HERE if destination is None else str(destination)
    what = [str(job_id), place]
    ends_flags = ["--"] if any(word.startswith("-") for word in what) else []
    return shlex.join(["airflow", "batchdl", "download", "-c", conn_id, *_flags(options), *ends_flags, *what])


def _flags(options: DownloadOptions) -> Iterator[str]:
    for each in fields(options):
        value, name = getattr(options, each.name), each.name.replace("_", "-")
        if value == each.default:
            continue
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        else:
            yield from (f"--{name}", str(value))
