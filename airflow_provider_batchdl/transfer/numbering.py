"""List and number the files of a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import EmptyResultError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.vendors.flows import guarded, refuse_links
from airflow_provider_batchdl.vendors.requests import ApiRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_batchdl.jobs import Job, LandedFile, Landing, ResultFile
    from airflow_provider_batchdl.options import DownloadOptions
    from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)


def listed_files(vendor: Vendor, job: Job, *, on_empty: str) -> tuple[ResultFile, ...]:
    """The numbered result files of a job that has results.

    Raises:
        EmptyResultError: there is none.
        UnexpectedResponseError: the list contradicts itself.
    """
    files = numbered(_distinct(vendor, job, refuse_links(vendor, vendor.result_files(job), job.id)))
    if not any(file.kind == RESULT for file in files):
        others = ", ".join(dict.fromkeys(file.kind for file in files))
        message = f"{vendor.label} lists no result file for the job, which has succeeded{others and f', but {others}'}."
        if on_empty == "fail":
            raise EmptyResultError(message)
        log.warning("%s (job %s, on_empty=%r)", message, job.id, on_empty)
    return files


def _distinct(vendor: Vendor, job: Job, files: Sequence[ResultFile]) -> list[ResultFile]:
    """The files, each once. Two different files that the same request returns are refused: one would be lost."""
    once = list(dict.fromkeys(files))
    if len(once) < len(files):
        log.warning("%s lists a file of job %s more than once; it lands once", vendor.label, job.id)
    first: dict[tuple[str, str], ResultFile] = {}
    for file in once:
        other = first.setdefault((file.kind, file.id), file)
        request = None if other is file else _request_for(vendor, job, file)
        if request is not None and request == _request_for(vendor, job, other):
            raise UnexpectedResponseError(
                f"{vendor.label} lists two files of the job with one id, and with other sizes, names or numbers."
            )
    return once


def _request_for(vendor: Vendor, job: Job, file: ResultFile) -> ApiRequest | None:
    """The request that is answered with a file; None where the vendor has to be asked for it."""
    flow = guarded(vendor, vendor.locate(job, file))
    try:
        next(flow)
    except StopIteration as done:
        request: object = done.value
        return request if isinstance(request, ApiRequest) else None
    finally:
        flow.close()
    return None


def numbered(files: Sequence[ResultFile]) -> tuple[ResultFile, ...]:
    """The files of a result, ordered, each with a number unique in its kind; a single one of a kind has none.

    Files are published under their numbers, so two of the same number would be one object. The vendor's numbers count
    where they are 1, 2, 3 … without a gap; else a file's place in the vendor's list is its number, in every try. The
    results are first.
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


def has_all_files(landing: Landing, files: Sequence[ResultFile], vendor: Vendor, options: DownloadOptions) -> bool:
    """True if a landing, which its manifest says is complete, has all files of a result, as they would land today.

    With a vendor that has pages, there may be more files than the job lists.
    """
    listed, landed = sorted(map(_number, files)), sorted(map(_number, landing.files))
    pages = [file.pages for file in landing.files]
    if not files or not vendor.has_pages:
        return bool(files) and listed == landed
    if options.join_pages:
        return listed == landed and None not in pages
    return {kind for kind, _ in listed} == {kind for kind, _ in landed} and set(pages) <= {None, 1}


def _number(file: ResultFile | LandedFile) -> tuple[str, str]:
    return str(file.kind), str(file.part)
