"""Facts in a vendor's answers, by a document's pointers: ids, progress, files."""

from __future__ import annotations

import math
import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.jobs import ResultFile
from airflow_provider_batchdl.vendors.declared.calls import FileSource, Pointers
from airflow_provider_batchdl.vendors.declared.document import Document, JobShape
from airflow_provider_batchdl.vendors.pointers import find, several
from airflow_provider_batchdl.vendors.reading import as_size, as_token

if TYPE_CHECKING:
    import httpx


# An HTTP status as a state, folded. The others are about the request, or this machine's way to the vendor.
BY_STATUS = re.compile(r"http([23]\d\d|4(?!0[1378]|29)\d\d)", re.ASCII)


def need(document: Any, pointers: Pointers, what: str) -> Any:
    """The value that the pointers find."""
    value = find(document, pointers)
    if value is None:
        raise TypeError(f"there is no {what} at {' or '.join(map(repr, several(pointers)))}")
    return value


def header_of(response: httpx.Response, name: str) -> str:
    """A header of an answer, which must have it."""
    if not response.headers.get(name):
        raise TypeError(f"there is no header {name!r}")
    return as_token(response.headers[name])


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


def source_of(document: Document, file: ResultFile) -> FileSource:
    """The kind of files that ``file`` is of."""
    return next((each for each in document.sources if each.kind == file.kind), document.sources[0])


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


def progress_of(shape: JobShape, item: Any) -> tuple[float | None, int | None]:
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
