"""A vendor's list of jobs by its document: pages, and the job of a lost submit among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

from airflow_provider_batchdl.vendors import listing
from airflow_provider_batchdl.vendors.declared.answers import need
from airflow_provider_batchdl.vendors.declared.calls import (
    Cursor,
    FindByKey,
    FindByTime,
    Header,
    Link,
    ListCall,
    Offset,
    Pages,
)
from airflow_provider_batchdl.vendors.declared.requests import request_of
from airflow_provider_batchdl.vendors.listing import JobPage, ListedJob, Page
from airflow_provider_batchdl.vendors.matching import CLOCK_TOLERANCE, is_echo_of, searched
from airflow_provider_batchdl.vendors.pointers import find
from airflow_provider_batchdl.vendors.reading import as_cursor, as_int, as_list
from airflow_provider_batchdl.vendors.requests import ApiRequest, Submission

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job
    from airflow_provider_batchdl.vendors.base import Flow
    from airflow_provider_batchdl.vendors.declared.described import Described


def page(vendor: Described, call: ListCall, cursor: str | None, delay: float = 0.0) -> Flow[Page]:
    """One page of the list."""
    request = _request(vendor, call, cursor, delay)
    response = yield request
    body = vendor.read_json("list", response)
    items = as_list(need(body, call.items, "list"))
    vendor.on_notice("list", call.items, items)
    if isinstance(call.paging, Link):
        page_url = request.url or f"{vendor.base_url}{request.path}"
        following, whole = _link(vendor, call.paging, response, body, page_url)
    else:
        following, whole = _following(call, cursor, response, body, items)
    return Page(items, following, whole)


def _request(vendor: Described, call: ListCall, cursor: str | None, delay: float) -> ApiRequest:
    paging = call.paging
    if isinstance(paging, Link) and cursor is not None:
        return ApiRequest("list", call.method, url=cursor, delay=delay)
    request = request_of("list", call, vendor.values(cursor=cursor), delay=delay)
    param = None if paging is None or isinstance(paging, Link) else paging.param
    if isinstance(paging, Pages):
        cursor = cursor or str(paging.first)
    if param is None or cursor is None:
        return request
    others = {} if isinstance(paging, Cursor) and paging.alone else request.params or {}
    return replace(request, params={**others, param: cursor})


def _following(
    call: ListCall, cursor: str | None, response: httpx.Response, body: Any, items: list[Any]
) -> tuple[str | None, bool]:
    """The cursor of the next page, None on the last, and False if there is a next page that cannot be requested."""
    paging = call.paging
    if isinstance(paging, Cursor):
        has_more = paging.more is None or bool(find(body, paging.more))
        following = as_cursor(find(body, paging.next)) if has_more else None
        return following, paging.more is None or has_more is (following is not None)
    if isinstance(paging, Pages | Offset):
        # By what the page has, and not by its limit: a server that gives less than it was asked for must lose no job.
        first, more, what = (paging.first, 1, "pages") if isinstance(paging, Pages) else (0, len(items), "jobs")
        number = int(cursor or first) + more
        if paging.total is not None and number >= as_int(need(body, paging.total, f"number of {what}")) + first:
            return None, True
        return (str(number) if items else None), paging.total is None or bool(items)
    if isinstance(paging, Header):
        text = response.headers.get(paging.name, "").strip()
        return (None if text in ("", "null") else as_cursor(text)), True
    return None, True


def _link(
    vendor: Described, paging: Link, response: httpx.Response, body: Any, page_url: str
) -> tuple[str | None, bool]:
    """The URL of the next page, and as in `_following`; it may be relative to ``page_url`` (RFC 8288, section 3.1)."""
    by_header = response.links.get("next", {}).get("url")
    text = as_cursor(by_header if paging.next is None else find(body, paging.next))
    url = None if text is None else urljoin(page_url, text)
    # The credentials go to the connection's origin, whatever an answer says.
    is_own = url is None or vendor.is_home(url)
    return (url if is_own else None), is_own


def job_page(vendor: Described, call: ListCall, cursor: str | None) -> Flow[JobPage]:
    """One page of the list, its jobs read."""
    found = yield from page(vendor, call, cursor)
    return listing.job_page(vendor, found, partial(_listed, vendor))


def _listed(vendor: Described, item: Any) -> ListedJob:
    job = vendor.read_job("list", item)
    shape = vendor.document.job
    return ListedJob(job, vendor.moment(find(item, shape.created)), vendor.moment(find(item, shape.updated)))


def candidates(vendor: Described, call: ListCall, submission: Submission, delay: float) -> Flow[list[Job | None]]:
    """The listed jobs that may be the one that ``submission`` made; None for one that cannot be read or listed."""
    return searched(
        partial(page, vendor, call),
        partial(_listed, vendor),
        partial(_is_ours, vendor, submission),
        submission,
        delay,
        newest_first=call.newest_first,
    )


def _is_ours(vendor: Described, submission: Submission, item: Mapping[str, Any]) -> bool | None:
    """True if a listed job is the one submitted; None if unknown."""
    wanted = vendor.document.find
    made = find(item, vendor.document.job.created)
    if isinstance(wanted, FindByKey):
        text = find(item, wanted.pointer)
        if not submission.key or not isinstance(text, str):
            return False
        return submission.key in text if wanted.contains else text == submission.key
    if isinstance(wanted, FindByTime):
        when = vendor.moment(made)
        return False if when is not None and when < submission.submitted_at - CLOCK_TOLERANCE else None
    if wanted is None:
        return False
    echoed = find(item, wanted.pointer)
    members = wanted.members or (() if wanted.pointer else tuple(vendor.document.request or ()))
    return is_echo_of(
        echoed, submission.request, made, submission.submitted_at, known=members or None, zone=vendor.zone
    )
