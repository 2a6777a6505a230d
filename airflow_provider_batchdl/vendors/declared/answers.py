"""Reading a vendor's answers by a document's pointers: jobs, result files, items of a list."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.declared.calls import FileSource, Pointers
from airflow_provider_batchdl.vendors.declared.document import Document, JobShape
from airflow_provider_batchdl.vendors.declared.templates import as_text as hole_text
from airflow_provider_batchdl.vendors.declared.templates import fill_text
from airflow_provider_batchdl.vendors.pointers import find, several
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_list, as_size, as_text, as_token

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.declared.described import Described


def need(document: Any, pointers: Pointers, what: str) -> Any:
    """The value that the pointers find."""
    value = find(document, pointers)
    if value is None:
        raise TypeError(f"there is no {what} at {' or '.join(map(repr, several(pointers)))}")
    return value


def read_job(vendor: Described, operation: str, item: Any, *, job_id: str | None = None) -> Job:
    """The job that an item of an answer shows."""
    shape = vendor.document.job
    if not isinstance(item, Mapping):
        raise TypeError(f"a job is an object, and not {type(item).__name__}")
    may_lack_it = shape.id_optional and job_id is not None
    raw_id = find(item, shape.id) if may_lack_it else need(item, shape.id, "id")
    found = _checked_id(shape, job_id if raw_id is None and job_id is not None else raw_id)
    raw_state = find(item, shape.state)
    if vendor.known_state(word := hole_text(raw_state)) is not None:
        raw_state = word  # a code, for some: the document has numbers as text
    vendor.notice(operation, shape.id, raw_id)
    vendor.notice(operation, shape.state, raw_state)
    state, word = vendor.read_state(operation, raw_state)
    progress, records = _progress(shape, item)
    job = Job(
        found,
        state,
        word,
        message=as_text(find(item, shape.message)),
        progress=progress,
        records=records,
        name=as_text(find(item, shape.name)),
    )
    if not vendor.has_results(job):
        return job
    return with_files(vendor, job, item, {})


def with_files(vendor: Described, job: Job, item: Any, further: Mapping[str, Any]) -> Job:
    """``job`` with the files that its answer names, and those of further answers by the files' kind."""
    listed: list[ResultFile] = []
    for source in vendor.document.sources:
        if source.call is not None and source.kind not in further:
            continue
        listed += files_of(vendor, source, job, further.get(source.kind, item), item)
    return replace(job, files=tuple(listed))


def fixed_files(vendor: Described, job: Job) -> tuple[ResultFile, ...]:
    """The files that every job has, of the kinds without pointers."""
    fixed = [each for each in vendor.document.sources if each.items is None and each.id is None and each.link is None]
    return tuple(_file(vendor, source, job, job.id, {}) for source in fixed)


def files_of(vendor: Described, source: FileSource, job: Job, answer: Any, item: Any) -> list[ResultFile]:
    """The files of one kind that an answer names; of a kind without pointers, the one that every job has."""
    if source.items is not None:
        # Some members exist only once a job has succeeded: there, an empty list is empty, and a missing one no answer.
        is_needed = job.state is JobState.SUCCEEDED
        named = as_list(need(answer, source.items, "list of files") if is_needed else find(answer, source.items) or [])
    elif source.id is not None or source.link is not None:
        named = [answer] if find(answer, source.id or source.link) is not None else []
    else:
        return [_file(vendor, source, job, job.id, item)]
    vendor.notice("files", source.items or source.id or source.link, named)
    return [
        _file(
            vendor,
            source,
            job,
            file_id,
            item,
            size=as_size(find(each, source.size)),
            part=as_size(find(each, source.part)),
        )
        for file_id, each in with_ids(source, job.id, named)
    ]


def with_ids(source: FileSource, job_id: str, named: list[Any]) -> list[tuple[str, Any]]:
    """The files that an answer names, each with its id; without a pointer to it, by its place in the list.

    Of two with one id, the link of either could be the other's: that is a TypeError.
    """
    if source.id is None:
        ids = [job_id, *(f"{job_id}-{place}" for place in range(2, len(named) + 1))]
    else:
        ids = [as_token(need(each, source.id, "id of a file")) for each in named]
    if source.link is not None and len(set(ids)) < len(ids):
        raise TypeError("two files have the same id")
    return list(zip(ids, named, strict=False))


def _file(vendor: Described, source: FileSource, job: Job, file_id: str, item: Any, **facts: Any) -> ResultFile:
    name = None
    if source.name is not None:
        name = fill_text(source.name, vendor.values(job_id=job.id, file_id=file_id, answer=item))
    return ResultFile(file_id, name, kind=source.kind, **facts)


def source_of(document: Document, file: ResultFile) -> FileSource:
    """The kind of files that ``file`` is of."""
    return next((each for each in document.sources if each.kind == file.kind), document.sources[0])


def _checked_id(shape: JobShape, value: Any) -> str:
    found = as_id(value)
    return str(as_int(found)) if shape.id_is == "whole" else found


def is_id(shape: JobShape, job_id: str) -> bool:
    """True if a text can be the id of one of the vendor's jobs."""
    if shape.id_is == "whole":
        return job_id.isascii() and job_id.isdigit() and len(job_id) <= 20
    if shape.id_is == "uuid":
        try:
            uuid.UUID(job_id)
        except ValueError:
            return False
    return True


def _progress(shape: JobShape, item: Any) -> tuple[float | None, int | None]:
    """The share that is done, and the records that are done where their number is not known."""
    share = _number(find(item, shape.progress))
    if share is not None and shape.progress_is == "percent":
        share /= 100
    done, total = as_size(find(item, shape.done)), as_size(find(item, shape.total))
    if share is None and done is not None and total:
        share = done / total
    if share is None or not 0 <= share <= 1:
        return None, done
    return share, None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
