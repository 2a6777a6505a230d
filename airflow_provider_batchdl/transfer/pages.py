"""Pages of a result, of which each response names the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import httpx

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import ResultFile
from airflow_provider_batchdl.transfer.source.range_client import Source
from airflow_provider_batchdl.vendors.flows import refuse_links

MOST_PAGES = 10_000
"""Pages of one result file; one that has more has no end."""
# In a partial's record: the page after it, which the response that resumes it need not name.
NEXT = "batchdl-next-page"
SHOWN = 100


def page_after(source: Source, headers: Mapping[str, str]) -> ResultFile | None:
    """The page after a file, of its kind, by the headers of the response that brings it; None where that is the last.

    Raises:
        UnexpectedResponseError: the headers cannot be read.
        InvalidRequestError: its id is a URL.
    """
    vendor, job, file = source.client.vendor, source.job, source.file
    if not vendor.has_pages:
        return None
    try:
        if NEXT in headers:
            known = json.loads(headers[NEXT])
            following = None if known is None else ResultFile.from_dict(known)
        else:
            raw = [
                (name.encode("latin-1", "replace"), text.encode("latin-1", "replace")) for name, text in headers.items()
            ]
            following = vendor.next_file(job, file, httpx.Headers(raw))
        if following is None:
            return None
        refuse_links(vendor, [following], job.id)
        return replace(following, kind=file.kind, part=None)
    except BatchDlError:
        raise
    except Exception as error:  # noqa: BLE001  readers meet what nobody thought of
        words = f"{type(error).__name__}: {excerpt(error, SHOWN)}"
        message = f"The page after one of the result cannot be read: {words}."
        raise UnexpectedResponseError(message) from None


def noted_page(source: Source, headers: Mapping[str, str]) -> dict[str, str]:
    """The entry in a partial's record about the page after it; nothing for a vendor without pages."""
    if not source.client.vendor.has_pages:
        return {}
    following = page_after(source, headers) if headers else None
    return {NEXT: json.dumps(None if following is None else following.to_dict())}


class PageChain:
    """The chain of the pages of one result file; it ends."""

    def __init__(self, first: Source) -> None:
        self._page = first
        self._seen = {_digest(first.file)}

    def after(self, headers: Mapping[str, str]) -> ResultFile | None:
        """The next page, where the headers of the last one name it.

        Raises:
            UnexpectedResponseError: it has been received before, or there is no end to them.
        """
        following = page_after(self._page, headers)
        if following is None:
            return None
        if (digest := _digest(following)) in self._seen:
            message = f"The pages of the result repeat: {excerpt(following.id, SHOWN)} is named twice."
            raise UnexpectedResponseError(message)
        if len(self._seen) >= MOST_PAGES:
            raise UnexpectedResponseError(f"The result has more than {MOST_PAGES:,} pages.")
        self._seen.add(digest)
        self._page = replace(self._page, file=following)
        return following


def _digest(file: ResultFile) -> bytes:
    return hashlib.sha256(file.id.encode("utf-8", "surrogatepass")).digest()
