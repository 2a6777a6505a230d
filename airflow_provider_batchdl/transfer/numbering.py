"""List and number the files of a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import EmptyResultError
from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.vendors.flows import refuse_links

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)


def listed_files(vendor: Vendor, job: Job, *, on_empty: str) -> tuple[ResultFile, ...]:
    """The numbered result files of a job that has results.

    Args:
        vendor: whose job it is.
        job: the job.
        on_empty: ``"fail"`` to require at least one.

    Raises:
        EmptyResultError: there is none.
    """
    files = numbered(refuse_links(vendor, vendor.result_files(job), job.id))
    if not any(file.kind == RESULT for file in files):
        others = ", ".join(dict.fromkeys(file.kind for file in files))
        message = f"{vendor.label} lists no result file for the job, which has succeeded{others and f', but {others}'}."
        if on_empty == "fail":
            raise EmptyResultError(message, vendor=vendor.name, job_id=job.id)
        log.warning("%s (job %s, on_empty=%r)", message, job.id, on_empty)
    return files


def numbered(files: Sequence[ResultFile]) -> tuple[ResultFile, ...]:
    """The files of a result, ordered, each with a number unique in its kind; a single one of a kind has none.

    Files are published under their numbers, so two of the same number would be one object. The vendor's numbers count
    where they are 1, 2, 3 … without a gap; else a file's place in the vendor's list is its number, in every try. The
    results are first.

    Args:
        files: as the vendor lists them.
    """
    kinds = dict.fromkeys((RESULT, *(file.kind for file in files)))
    return tuple(file for kind in kinds for file in _numbered([file for file in files if file.kind == kind]))


def _numbered(files: list[ResultFile]) -> Sequence[ResultFile]:
    if len(files) == 1:
        return files if files[0].part is None else [replace(files[0], part=None)]
    numbers = [file.part for file in files]
    places = range(1, len(files) + 1)
    if all(type(number) is int for number in numbers) and set(numbers) == set(places):
        return sorted(files, key=lambda file: file.part or 0)
    if any(number is not None for number in numbers):
        log.warning(
            "The vendor numbers the parts of the result %s; they are numbered 1 to %d, in the order of its list.",
            ", ".join(str(number)[:20] for number in numbers[:20]),
            len(files),
        )
    return [replace(file, part=place) for place, file in enumerate(files, start=1)]


def matching(files: Sequence[ResultFile], vendor: Vendor, options: DownloadOptions) -> Callable[[Landing], bool]:
    """A check whether a landing, which its manifest says is complete, has all files of a result.

    Args:
        files: the result's files, numbered.
        vendor: whose result it is; if it may have pages, there may be more files than it lists.
        options: how it would be downloaded today.
    """

    def is_same(landing: Landing) -> bool:
        listed, landed = sorted(map(_number, files)), sorted(map(_number, landing.files))
        joined = [file.pages for file in landing.files]
        if not files:
            return False
        if not vendor.has_pages:
            return listed == landed
        if options.join_pages:
            return listed == landed and None not in joined
        return {kind for kind, _ in listed} == {kind for kind, _ in landed} and set(joined) <= {None, 1}

    return is_same


def _number(file: ResultFile | LandedFile) -> tuple[str, str]:
    return str(file.kind), str(file.part)
