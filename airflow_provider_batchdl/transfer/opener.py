"""One answer of the network to "give me this file from this byte on": the vendor's link, redirects, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, InvalidURL
from itertools import islice
from threading import Lock
from typing import Any, TypeAlias

import httpx
import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.client.policy import user_agent
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
from airflow_provider_batchdl.observers import tell_retry
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.connection import connections_of
from airflow_provider_batchdl.transfer.decoding import decoded
from airflow_provider_batchdl.transfer.head import ResponseHead, read_head
from airflow_provider_batchdl.transfer.identity import Identity, range_headers, resumed_identity
from airflow_provider_batchdl.transfer.redirects import MOST_HOPS, REDIRECTS, is_loopback_host, next_hop, stays_home
from airflow_provider_batchdl.transfer.stream import ResultStream, read_small
from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.errors import error_from_response
from airflow_provider_batchdl.vendors.retry_after import retry_after

log = get_logger(__name__)

LARGEST_ERROR_BODY = 64 * 1024
# What a server says that is still at work on the file (202) or has nothing to give (204).
_NOT_READY = (202, 204)
_PER_HOP = frozenset({"host", "connection"})  # urllib3 writes its own for each URL


Answer: TypeAlias = tuple[str, urllib3.BaseHTTPResponse, ResponseHead]
"""The address that answered, its response, and the response's head."""


class RangeRefusedError(TransferError):
    """A part of a file was asked for, and something else came."""


@dataclass(frozen=True)
class Source:
    """Where a result file comes from.

    Args:
        client: the account's client, which puts credentials on requests.
        request: the vendor's download request.
    """

    client: BatchClient
    request: ApiRequest


class Opener:
    """Opens streams of one result file. Thread-safe.

    The vendor is asked for the file once; what it redirects to is used until the store there refuses it, and then
    the vendor is asked once more, by one thread for all. (Batch.com makes a new file for each such question.)

    Args:
        source: where it comes from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._vendor = source.client.vendor
        self._home = self._vendor.account.origin
        self._host = self._home[1]
        self._connections = connections_of(source.client, allow_loopback=is_loopback_host(self._host))
        # Where the vendor sent us: at most one; a list, since two links may be written alike. They may hold signatures.
        self._link: list[str] | None = None
        self._asked_before = False
        self._asking = Lock()

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self._vendor.name

    def open(self, offset: int = 0, identity: Identity | None = None, end: int | None = None) -> ResultStream | None:
        """The file from ``offset`` on, if it is still ``identity``; else from wherever the server starts.

        Args:
            offset: the first byte.
            identity: the file that is meant.
            end: the byte after the last that is wanted; None for all.

        Returns:
            The stream, whose ``start`` is ``offset`` or 0; None where nothing follows ``offset``.

        Raises:
            BatchDlError: the vendor or the store refused, typed; retryable ones may be tried again.
        """
        asked = range_headers(offset, identity, end)
        url, response, head = self._answer(asked)
        same = resumed_identity(head, identity, offset, end) if asked else None
        if same is not None:
            return ResultStream(response, url, offset, same, head)
        if head.status == 200 and head.is_whole and not head.fault:
            return ResultStream(response, url, 0, head=head)
        response.close()
        if head.status == 416 and identity is not None and _ends_at(offset, identity, head):
            return None
        if head.status in _NOT_READY:
            raise ResultNotReadyError(
                f"The download was answered with status {head.status}: there is no result yet.",
                status=head.status,
                retry_after=retry_after(head.headers),
                **self._facts(),
            )
        if offset:  # another start, another total, another file: trust nothing of it and begin again
            return self.open()
        raise self._unexpected(head)

    def open_part(self, start: int, end: int, identity: Identity) -> ResultStream:
        """The bytes from ``start`` to ``end``, exclusive, of the file that is ``identity``.

        Raises:
            RangeRefusedError: the server sends something else: the whole file, another part, another file.
            BatchDlError: the vendor or the store refused, typed; retryable ones may be tried again.
        """
        url, response, head = self._answer(range_headers(start, identity, end))
        if resumed_identity(head, identity, start, end) is not None:
            return ResultStream(response, url, start, identity, head)
        response.close()
        raise RangeRefusedError(f"A part of the file was asked for; {head.status} came with another.", **self._facts())

    def _unexpected(self, head: ResponseHead) -> UnexpectedResponseError:
        whole = "the Content-Range of a part" if head.status == 200 and not head.is_whole else None
        why = f": {head.fault or whole}" if head.fault or whole else ""
        return UnexpectedResponseError(
            f"The download was answered with status {head.status}{why}.", status=head.status, **self._facts()
        )

    def _answer(self, extra: Mapping[str, str]) -> Answer:
        link = self._link
        if link is not None:
            try:
                return self._follow(link[0], "GET", b"", {}, extra)
            except (ResultExpiredError, UnexpectedResponseError):
                log.info("The link to the file is refused; asking %s for another.", self._vendor.label)
                tell_retry(self.vendor, "download", "expired_link")
        elif self._asked_before:
            return self._ask(extra)
        with self._asking:
            if self._link is not link and self._link is not None:
                link = self._link
            else:
                return self._ask(extra)
        return self._follow(link[0], "GET", b"", {}, extra)

    def _ask(self, extra: Mapping[str, str]) -> Answer:
        """Ask the vendor, and note where it sends us."""
        client, request = self._source.client, self._source.request
        try:
            answer = self._ask_with(client.authenticated(request), extra)
        except AuthenticationError:
            renewed = client.renewed(request)
            if renewed is None:
                raise
            answer = self._ask_with(renewed, extra)
        self._asked_before = True
        self._link = None if stays_home(answer[0], self._home) else [answer[0]]
        return answer

    def _ask_with(self, message: httpx.Request, extra: Mapping[str, str]) -> Answer:
        body = message.read() if "content-length" in message.headers else b""
        return self._follow(str(message.url), message.method, body, dict(message.headers.items()), extra)

    def _follow(self, url: str, method: str, body: bytes, ours: Mapping[str, str], extra: Mapping[str, str]) -> Answer:
        """The answer at the end of the redirects, with its address and its head.

        Args:
            url: where to begin.
            method: how.
            body: what to send.
            ours: headers with credentials, for the connection's origin alone.
            extra: headers that may go anywhere.
        """
        bare = {"user-agent": user_agent(), "accept-encoding": "identity", **extra}
        for _ in range(MOST_HOPS + 1):
            at_home = stays_home(url, self._home)
            headers = {**ours, **bare} if at_home else bare
            response = self._send(method, url, {k: v for k, v in headers.items() if k not in _PER_HOP}, body or None)
            head = read_head(response)
            if at_home:
                self._source.client.note(head.status, head.headers)
            if head.status in REDIRECTS and head.location:
                response.close()
                following = self._next_hop(url, head.location)
                if method != "GET":
                    if head.status in (307, 308) and not stays_home(following, self._home):
                        raise UnsafeRedirectError("A redirect would send the request's body to another host.")
                    method, body = ("GET", b"") if head.status not in (307, 308) else (method, body)
                url = following
                continue
            if head.status >= 400 and head.status != 416:
                raise self._refusal(response, head, at_home=at_home)
            return url, response, head
        raise UnsafeRedirectError(f"The download is redirected more than {MOST_HOPS} times.", **self._facts())

    def _next_hop(self, url: str, location: str) -> str:
        try:
            return next_hop(url, location, connection_host=self._host)
        except ValueError:
            raise self._no_url() from None

    def _no_url(self) -> UnexpectedResponseError:
        return UnexpectedResponseError("The download is redirected to something that is no URL.", **self._facts())

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        try:
            return self._connections.send(method, url, headers, body)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            # Names that no resolver takes and ports that are none are found here only.
            if isinstance(error, InvalidURL | ValueError):
                raise self._no_url() from None
            raise VendorUnavailableError(
                f"{origin(url)[1]} cannot be reached for the download: {type(error).__name__}.", **self._facts()
            ) from None

    def _refusal(self, response: urllib3.BaseHTTPResponse, head: ResponseHead, *, at_home: bool) -> BatchDlError:
        """The error for a status of 400 or above: the vendor's own at home, the store's elsewhere."""
        body = read_small(response, LARGEST_ERROR_BODY)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in _readable(head.headers).items()]
        answer = httpx.Response(head.status, headers=headers, content=_unpacked(body, head))
        if at_home:
            return self._vendor.error(self._source.request, answer)
        # A store answers 403 to a link whose time is over, and 404 or 410 where the file is gone.
        expired = head.status in (401, 403, 404, 410)
        unavailable = head.status in (408, 429) or head.status >= 500
        kind = ResultExpiredError if expired else VendorUnavailableError if unavailable else UnexpectedResponseError
        return error_from_response(answer, operation="store", kind=kind, **self._facts())

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self._vendor.name, "job_id": self._source.request.job_id}


def _ends_at(offset: int, identity: Identity, head: ResponseHead) -> bool:
    """Whether an answer 416 says that the file ends where we are.

    What we asked for was conditional (If-Range), so the file is still the same. Where its size was not known, the
    answer tells it: ``Content-Range: bytes */size`` (RFC 9110, section 15.5.17).
    """
    if identity.total is not None:
        return identity.total == offset
    found = head.content_range
    same = identity.etag is not None and head.identity.etag in (None, identity.etag)
    return same and found is not None and found.start is None and found.total == offset


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without those that describe the body's coding: it was read as it came, and perhaps not whole."""
    coded = ("content-encoding", "content-length", "transfer-encoding")
    return {name: value for name, value in headers.items() if name not in coded}


def _unpacked(body: bytes, head: ResponseHead) -> bytes:
    """An error's words, which may come packed and need not come whole."""
    try:
        return b"".join(islice(decoded([body], ", ".join(head.codings)), 1))
    except BatchDlError:
        return body
