"""One answer of the network to "give me this file from this byte on": redirects, refusals, and the bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.client.policy import user_agent
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    ResultExpiredError,
    TransferError,
    UnexpectedResponseError,
    UnsafeRedirectError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.connection import connections_of
from airflow_provider_batchdl.transfer.identity import Identity, identify, parse_content_range, range_headers
from airflow_provider_batchdl.transfer.redirects import MOST_HOPS, REDIRECTS, is_loopback_host, next_hop, stays_home
from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.errors import error_from_response

# One read takes what has come, at most this much (see `connection`): a read of exactly so much would wait for all of
# it, however slowly it drips.
READ_SIZE = 512 << 10
# Slower than this over a whole minute is a stall that happens to drip.
SLOWEST = 1024
RATE_WINDOW = 60.0
LARGEST_ERROR_BODY = 64 * 1024
_PER_HOP = frozenset({"host", "connection"})  # urllib3 writes its own for each URL


class InterruptedTransferError(TransferError):
    """The bytes stopped coming; the same request may go on where they stopped."""


@dataclass(frozen=True)
class Source:
    """Where a result file comes from.

    Args:
        client: the account's client, which puts credentials on requests.
        request: the vendor's download request.
    """

    client: BatchClient
    request: ApiRequest


class ResultStream:
    """The body of one response, from ``start`` on.

    Args:
        response: the response, its body not read yet.
        url: what it answers, for the file's name. May hold a signature: never log it.
        start: the byte of the file at which the body starts.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str, start: int, identity: Identity) -> None:
        self._response = response
        self.url = url
        self.start = start
        self.identity = identity
        self.status = response.status
        self.headers = lower(response.headers)

    @property
    def coding(self) -> str:
        """The content coding of the body."""
        return self.headers.get("content-encoding", "")

    @property
    def framing(self) -> str | None:
        """What tells the body's end: ``chunked``, ``content-length``, or None where only the connection's end does."""
        if self.headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return "chunked"
        return "content-length" if "content-length" in self.headers else None

    def __iter__(self) -> Iterator[bytes]:
        """The body's bytes as they come.

        Raises:
            InterruptedTransferError: they ended early, stopped, or came too slowly.
        """
        began, window_bytes = time.monotonic(), 0
        try:
            while chunk := self._response.read1(READ_SIZE, decode_content=False):
                yield chunk
                window_bytes += len(chunk)
                elapsed = time.monotonic() - began
                if elapsed > RATE_WINDOW:
                    if window_bytes < SLOWEST * elapsed:
                        raise InterruptedTransferError(f"Only {window_bytes} bytes came in {elapsed:.0f} s.")
                    began, window_bytes = time.monotonic(), 0
        except (HTTPError, OSError) as error:
            raise InterruptedTransferError(f"The connection broke: {type(error).__name__}.") from None

    def close(self) -> None:
        """Close the connection: a response that was not read to its end cannot be used again."""
        self._response.close()


class Opener:
    """Opens streams of one result file.

    Args:
        source: where it comes from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._vendor = source.client.vendor
        self._home = self._vendor.account.origin
        self._host = self._home[1]
        self._connections = connections_of(source.client, allow_loopback=is_loopback_host(self._host))

    def open(self, offset: int = 0, identity: Identity | None = None) -> ResultStream | None:
        """The file from ``offset`` on, if it is still ``identity``; else from wherever the server starts.

        Returns:
            The stream, whose ``start`` is ``offset`` or 0; None where nothing follows ``offset``.

        Raises:
            BatchDlError: the vendor or the store refused, typed; retryable ones may be tried again.
        """
        try:
            url, response = self._request(range_headers(offset, identity), renew=False)
        except AuthenticationError:
            # Once more with new credentials, where they can be renewed; the others are refused in the same way.
            url, response = self._request(range_headers(offset, identity), renew=True)
        headers = lower(response.headers)
        found = identify(response.status, headers)
        if response.status == 206:
            start = getattr(parse_content_range(headers.get("content-range")), "start", None)
            if start == offset and _continues(found, identity):
                return ResultStream(response, url, offset, identity or found)
        elif response.status == 200:
            return ResultStream(response, url, 0, found)
        elif response.status == 416 and identity is not None and identity.total == offset:
            response.close()
            return None
        response.close()
        if offset:  # another start, another total, another file: trust nothing of it and begin again
            return self.open()
        raise UnexpectedResponseError(f"The download was answered with status {response.status}.", **self._facts())

    def _request(self, extra: Mapping[str, str], *, renew: bool) -> tuple[str, urllib3.BaseHTTPResponse]:
        message = self._source.client.authenticated(self._source.request, renew=renew)
        url, method, body = str(message.url), message.method, message.read()
        bare = {"user-agent": user_agent(), "accept-encoding": "identity", **extra}
        for _ in range(MOST_HOPS + 1):
            at_home = stays_home(url, self._home)
            headers = {**message.headers, **bare} if at_home else bare
            response = self._send(method, url, {k: v for k, v in headers.items() if k not in _PER_HOP}, body or None)
            if at_home:
                self._source.client.note(response.status, lower(response.headers))
            if response.status in REDIRECTS and "location" in response.headers:
                response.close()
                following = next_hop(url, response.headers["location"], connection_host=self._host)
                if method != "GET":
                    if response.status in (307, 308) and not stays_home(following, self._home):
                        raise UnsafeRedirectError("A redirect would send the request's body to another host.")
                    method, body = ("GET", b"") if response.status not in (307, 308) else (method, body)
                url = following
                continue
            if response.status >= 400 and response.status != 416:
                raise self._refusal(response, at_home=at_home)
            return url, response
        raise UnsafeRedirectError(f"The download is redirected more than {MOST_HOPS} times.", **self._facts())

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        manager = self._connections.for_url(url)
        try:
            return manager.urlopen(
                method,
                url,
                headers=headers,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            raise VendorUnavailableError(
                f"{origin(url)[1]} cannot be reached for the download: {type(error).__name__}.", **self._facts()
            ) from None

    def _refusal(self, response: urllib3.BaseHTTPResponse, *, at_home: bool) -> BatchDlError:
        """The error for a status of 400 or above: the vendor's own at home, the store's elsewhere."""
        try:
            body = response.read(LARGEST_ERROR_BODY, decode_content=False)
        except (HTTPError, OSError):
            body = b""
        finally:
            response.close()
        answer = httpx.Response(response.status, headers=_readable(response.headers), content=body)
        if at_home:
            return self._vendor.error(self._source.request, answer)
        # A store answers 403 to a link whose time is over, and 404 or 410 where the file is gone.
        expired = response.status in (401, 403, 404, 410)
        unavailable = response.status in (408, 429) or response.status >= 500
        kind = ResultExpiredError if expired else VendorUnavailableError if unavailable else UnexpectedResponseError
        return error_from_response(answer, operation="store", kind=kind, **self._facts())

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self._vendor.name, "job_id": self._source.request.job_id}


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` with lower-case names."""
    return {name.lower(): value for name, value in headers.items()}


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without those that describe the body's coding: it was read as it came, and perhaps not whole."""
    return {
        name: value
        for name, value in lower(headers).items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    }


def _continues(found: Identity, expected: Identity | None) -> bool:
    """Whether a 206 is a part of the file expected: nothing that both name may differ."""
    if expected is None:
        return False
    same_total = None in (found.total, expected.total) or found.total == expected.total
    same_file = None in (found.validator, expected.validator) or found.validator == expected.validator
    return same_total and same_file
