"""Pages of a result, of which each response names the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import httpx

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.flows import refuse_links

MOST_PAGES = 10_000
"""Pages of one result file; one that has more has no end."""
# In a partial's record: the page after it, which the response that resumes it need not name.
NEXT = "batchdl-next-page"
SHOWN = 100


def page_after(vendor: Vendor, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
    """The page after ``file``, of its kind; None where that is the last.

    Raises:
        UnexpectedResponseError: the headers cannot be read.
        InvalidRequestError: its id is a URL.
    """
    try:
        if NEXT in headers:
            known = json.loads(headers[NEXT])
            following = None if known is None else ResultFile.from_dict(known)
        else:
            following = vendor.next_file(job, file, httpx.Headers(_ascii(headers)))
        if following is None:
            return None
        refuse_links(vendor, [following], job.id)
        return replace(following, kind=file.kind, part=None)
    except BatchDlError:
        raise
    except Exception as error:  # noqa: BLE001  readers meet what nobody thought of
        words = f"{type(error).__name__}: {excerpt(error, SHOWN)}"
        raise _unexpected(vendor, job, f"The page after one of the result cannot be read: {words}.") from None


def noted_page(vendor: Vendor, job: Job, file: ResultFile, headers: Mapping[str, str]) -> dict[str, str]:
    """The entry in a partial's record about the page after ``file``; nothing for a vendor without pages."""
    if not vendor.has_pages:
        return {}
    following = page_after(vendor, job, file, headers) if headers else None
    return {NEXT: json.dumps(None if following is None else following.to_dict())}


class PageChain:
    """The chain of the pages of one result file; it ends."""

    def __init__(self, vendor: Vendor, job: Job, first: ResultFile) -> None:
        self._vendor, self._job = vendor, job
        self._seen = {_digest(first)}

    def after(self, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
        """The page after ``file``, which has been received with these headers.

        Raises:
            UnexpectedResponseError: it has been received before, or there is no end to them.
        """
        if not self._vendor.has_pages:
            return None
        following = page_after(self._vendor, self._job, file, headers)
        return None if following is None else self.add(following)

    def add(self, following: ResultFile) -> ResultFile:
        """Return the next page, if it can be.

        Raises:
            UnexpectedResponseError: as `after`.
        """
        if (digest := _digest(following)) in self._seen:
            shown = excerpt(following.id, SHOWN)
            raise _unexpected(self._vendor, self._job, f"The pages of the result repeat: {shown} is named twice.")
        if len(self._seen) >= MOST_PAGES:
            raise _unexpected(self._vendor, self._job, f"The result has more than {MOST_PAGES:,} pages.")
        self._seen.add(digest)
        return following


def _ascii(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers.items()]


def _digest(file: ResultFile) -> bytes:
    return hashlib.sha256(file.id.encode("utf-8", "surrogatepass")).digest()


def _unexpected(vendor: Vendor, job: Job, message: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(message, vendor=vendor.name, job_id=job.id)
