"""Open a result file from a given byte: the vendor's link, redirects, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, InvalidURL
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeAlias

import httpx
import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.client.policy import unreachable_remedy, user_agent
from airflow_provider_batchdl.client.reached import TARGET_CHECK
from airflow_provider_batchdl.client.retry_events import emit_retry
from airflow_provider_batchdl.client.targets import is_loopback_host
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    ResultExpiredError,
    ResultNotReadyError,
    TransferError,
    UnexpectedResponseError,
    UnsafeRedirectError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.source.connection import connections_of
from airflow_provider_batchdl.transfer.source.head import ResponseHead, read_head
from airflow_provider_batchdl.transfer.source.identity import Identity, range_headers, resumed_identity
from airflow_provider_batchdl.transfer.source.locator import Locator, Source
from airflow_provider_batchdl.transfer.source.redirects import (
    MOST_HOPS,
    REDIRECTS,
    next_hop,
)
from airflow_provider_batchdl.transfer.source.refused import error_answer
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.errors import store_error
from airflow_provider_batchdl.vendors.retry_after import asked_wait

log = get_logger(__name__)

# Statuses of a server that is still preparing the file (202) or has none (204).
_NOT_READY = (202, 204)
_PER_HOP = frozenset({"host", "connection"})  # urllib3 writes its own for each URL


Answer: TypeAlias = tuple[str, urllib3.BaseHTTPResponse, ResponseHead]
"""The final URL, its response, and the response's head."""


class RangeRefusedError(TransferError):
    """A range was requested, and the response is something else."""


@dataclass(frozen=True, eq=False)
class _Link:
    """A URL beyond the connection's origin, which may be signed, and the vendor's request that led there."""

    url: str
    request: ApiRequest


class RangeClient:
    """Client for ranges of one result file. Thread-safe.

    The vendor is asked for the file once; the link that it names or redirects to is used until the store refuses it.
    Then one thread asks the vendor for a new one, for all threads. (Batch.com makes a new file for each such request.)
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._vendor = source.client.vendor
        self.vendor = self._vendor.name
        self._host = self._vendor.account.origin[1]
        self._connections = connections_of(source.client, allow_loopback=is_loopback_host(self._host))
        self._locator = Locator(source)
        self._link: _Link | None = None
        self._asked_before = False
        self._asking = Lock()

    def open(self, offset: int = 0, identity: Identity | None = None, end: int | None = None) -> ResultStream | None:
        """Open the file at ``offset``, if it is still ``identity``; else where the server starts.

        Args:
            offset: the first byte.
            identity: the identity of the file so far; None for any.
            end: the byte after the last; None for all.

        Returns:
            The stream, whose ``start`` is ``offset`` or 0; None where the file ends at ``offset``.

        Raises:
            BatchDlError: the vendor or the store refused, typed; `TRY_AGAIN` can be retried.
        """
        requested = range_headers(offset, identity, end)
        url, response, head = self._answer(requested)
        same = resumed_identity(head, identity, offset, end) if requested else None
        if same is not None:
            return ResultStream(response, url, offset, same, head)
        known = identity.total if requested and identity is not None else None
        # Some servers answer with 200 and the rest of the file: what has another size is asked for without a range.
        if head.is_whole and not head.fault and known in (None, head.identity.total):
            return ResultStream(response, url, 0, head=head)
        response.close()
        if head.status == 416 and identity is not None and _ends_at(offset, identity, head):
            return None
        if head.status in _NOT_READY:
            raise ResultNotReadyError(
                f"The download request returned status {head.status}: there is no result yet.",
                status=head.status,
                retry_after=asked_wait(self._vendor.retry_after, head.headers),
                **self._facts(),
            )
        if offset:  # another start, total or file: restart from byte 0
            return self.open()
        raise self._unexpected(head)

    def open_part(self, start: int, end: int, identity: Identity) -> ResultStream:
        """Open the bytes from ``start`` to ``end``, exclusive, of the file ``identity``.

        Raises:
            RangeRefusedError: the server sent something else: the whole file, another range, another file.
            BatchDlError: the vendor or the store refused, typed; `TRY_AGAIN` can be retried.
        """
        url, response, head = self._answer(range_headers(start, identity, end))
        if resumed_identity(head, identity, start, end) is not None:
            return ResultStream(response, url, start, identity, head)
        response.close()
        raise RangeRefusedError(
            f"A range of the file was requested; the response, status {head.status}, is not that range.",
            **self._facts(),
        )

    def _unexpected(self, head: ResponseHead) -> UnexpectedResponseError:
        part = "its Content-Range is not that of the whole file" if head.status in (200, 206) else None
        why = f": {head.fault or part}" if head.fault or part else ""
        return UnexpectedResponseError(
            f"The download request returned status {head.status}{why}.", status=head.status, **self._facts()
        )

    def _answer(self, extra: Mapping[str, str]) -> Answer:
        link = self._link
        if link is not None:
            try:
                return self._follow(link.url, link.request, extra)
            except (ResultExpiredError, UnexpectedResponseError):
                log.info("The download link was refused; requesting a new one from %s", self._vendor.label)
                emit_retry(self.vendor, "download", "expired_link")
                self._locator.forget(link.request)
        elif self._asked_before:
            return self._ask(extra)
        with self._asking:
            if self._link is not link and self._link is not None:
                link = self._link
            else:
                return self._ask(extra)
        return self._follow(link.url, link.request, extra)

    def _ask(self, extra: Mapping[str, str]) -> Answer:
        """Ask the vendor for the file, and remember the link that it names or redirects to."""
        request, is_new = self._locator.current()
        try:
            answer = self._send_request(request, extra)
        except BatchDlError as error:
            other = self._locator.after(request, error, is_new=is_new)
            if other is None:
                raise
            request = other
            answer = self._send_request(request, extra)
        self._asked_before = True
        self._link = None if self._vendor.is_home(answer[0]) else _Link(answer[0], request)
        return answer

    def _send_request(self, request: ApiRequest, extra: Mapping[str, str]) -> Answer:
        """Send the vendor's request with credentials, once with new ones; one to another origin without any."""
        client = self._source.client
        try:
            return self._follow_signed(client.authenticated(request), request, extra)
        except AuthenticationError:
            renewed = client.renewed(request)
            if renewed is None:
                raise
            return self._follow_signed(renewed, request, extra)

    def _follow_signed(self, message: httpx.Request, request: ApiRequest, extra: Mapping[str, str]) -> Answer:
        body = message.read()
        target = message.extensions.get(TARGET_CHECK)  # of a link, whose signature covers how it is written
        url = str(message.url) if target is None else target.url
        ours = dict(message.headers.items())
        return self._follow(url, request, extra, method=message.method, body=body, ours=ours)

    def _follow(
        self,
        url: str,
        request: ApiRequest,
        extra: Mapping[str, str],
        *,
        method: str = "GET",
        body: bytes = b"",
        ours: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """Send a request and follow its redirects.

        Args:
            url: the first URL.
            request: the vendor's request, for errors.
            extra: headers for every origin.
            method: the first method.
            body: the request's body.
            ours: headers with credentials, for the connection's origin only.
        """
        bare = {"user-agent": user_agent(), "accept-encoding": "identity", **extra}
        for _ in range(MOST_HOPS + 1):
            at_home = self._vendor.is_home(url)
            headers = {**bare, **ours, **extra} if at_home else bare
            response = self._send(method, url, {k: v for k, v in headers.items() if k not in _PER_HOP}, body or None)
            head = read_head(response)
            if at_home:
                self._source.client.note(head.status, head.headers)
            if head.status in REDIRECTS and head.location:
                response.close()
                following = self._next_hop(url, head.location)
                if method != "GET":
                    if head.status in (307, 308) and not self._vendor.is_home(following):
                        raise UnsafeRedirectError("A redirect would send the request's body to another host.")
                    method, body = ("GET", b"") if head.status not in (307, 308) else (method, body)
                url = following
                continue
            if head.status >= 400 and head.status != 416:
                raise self._refusal(response, head, url, request if at_home else None)
            return url, response, head
        raise UnsafeRedirectError(f"The download is redirected more than {MOST_HOPS} times.", **self._facts())

    def _next_hop(self, url: str, location: str) -> str:
        try:
            return next_hop(url, location, connection_host=self._host)
        except ValueError:
            raise self._no_url() from None

    def _no_url(self) -> UnexpectedResponseError:
        return UnexpectedResponseError("The download is redirected to an invalid URL.", **self._facts())

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        try:
            return self._connections.send(method, url, headers, body)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            # Invalid host names and ports are only found here.
            if isinstance(error, InvalidURL | ValueError):
                raise self._no_url() from None
            scheme, host, _ = origin(url)
            raise VendorUnavailableError(
                f"{host} cannot be reached for the download: {type(error).__name__}.",
                remedy=unreachable_remedy(words_of(error), f"{scheme}://{host}"),
                **self._facts(),
            ) from None

    def _refusal(
        self, response: urllib3.BaseHTTPResponse, head: ResponseHead, url: str, request: ApiRequest | None
    ) -> BatchDlError:
        """The error for a status of 400 or above: the vendor's own to its ``request``, the store's elsewhere."""
        answer = error_answer(response, head, url)
        if request is None:
            return store_error(answer, **self._facts())
        return self._vendor.refusal(request, answer) or self._vendor.error(request, answer)

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self._vendor.name, "job_id": self._source.job.id}


def _ends_at(offset: int, identity: Identity, head: ResponseHead) -> bool:
    """True if a 416 says that the file ends at ``offset``.

    The request was conditional (If-Range), so the file is still the same. Where its size was not known, the response
    has it: ``Content-Range: bytes */size`` (RFC 9110, section 15.5.17).
    """
    if identity.total is not None:
        return identity.total == offset
    found = head.content_range
    same = identity.etag is not None and head.headers.get("etag", identity.etag) == identity.etag
    return same and found is not None and found.start is None and found.total == offset
