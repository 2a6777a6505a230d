"""The files of a result, and which part of it each is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl.exceptions import EmptyResultError
from airflow_provider_batchdl.redaction import get_logger

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, ResultFile
    from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)


def listed_files(vendor: Vendor, job: Job, *, on_empty: str) -> tuple[ResultFile, ...]:
    """The result files of a job that has results, numbered.

    Args:
        vendor: whose job it is.
        job: the job.
        on_empty: ``"fail"`` where there has to be one.

    Raises:
        EmptyResultError: there is none.
    """
    files = numbered(vendor.result_files(job))
    if not files:
        message = f"{vendor.label} lists no result file for the job, which has succeeded."
        if on_empty == "fail":
            raise EmptyResultError(message, vendor=vendor.name, job_id=job.id)
        log.warning("%s (job %s, on_empty=%r)", message, job.id, on_empty)
    return files


def numbered(files: tuple[ResultFile, ...]) -> tuple[ResultFile, ...]:
    """The files of a result, in order, each with a number of its own; a single one has none.

    Files are published under their numbers, so two of the same number would be one object. The vendor's numbers count
    where they are 1, 2, 3 … without a gap; else a file's place in the vendor's list is its number, in every try.

    Args:
        files: as the vendor lists them.
    """
    if len(files) == 1:
        return files if files[0].part is None else (replace(files[0], part=None),)
    numbers = [file.part for file in files]
    places = range(1, len(files) + 1)
    if all(type(number) is int for number in numbers) and set(numbers) == set(places):
        return tuple(sorted(files, key=lambda file: file.part or 0))
    if any(number is not None for number in numbers):
        log.warning(
            "The vendor numbers the parts of the result %s; they are numbered 1 to %d, in the order of its list.",
            ", ".join(str(number)[:20] for number in numbers[:20]),
            len(files),
        )
    return tuple(replace(file, part=place) for place, file in enumerate(files, start=1))
