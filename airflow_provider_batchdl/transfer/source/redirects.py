"""Send a request for a result file, and follow its redirects by hand: credentials stay at the connection's origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.client import HTTPException, InvalidURL
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

import httpx
import urllib3
from urllib3.exceptions import HTTPError

from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.client.policy import unreachable_remedy, user_agent
from airflow_provider_batchdl.client.targets import TARGET_CHECK, checked_target, is_loopback_host
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    UnexpectedResponseError,
    UnsafeRedirectError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.source.connection import Connections, connections_of
from airflow_provider_batchdl.transfer.source.head import ResponseHead, read_head
from airflow_provider_batchdl.transfer.source.stream import error_answer
from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.errors import store_error

MOST_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PER_HOP = frozenset({"host", "connection"})  # urllib3 writes its own for each URL

_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")

Answer: TypeAlias = tuple[str, urllib3.BaseHTTPResponse, ResponseHead]
"""The final URL, its response, and the response's head."""


def send(client: BatchClient, request: ApiRequest, extra: Mapping[str, str]) -> Answer:
    """Send the vendor's request with credentials, once with new ones; one to another origin without any.

    Raises:
        BatchDlError: the vendor or the store refused, or cannot be reached.
    """
    try:
        return _send_signed(client, client.authenticated(request), request, extra)
    except AuthenticationError:
        renewed = client.renewed(request)
        if renewed is None:
            raise
        return _send_signed(client, renewed, request, extra)


def _send_signed(client: BatchClient, signed: httpx.Request, request: ApiRequest, extra: Mapping[str, str]) -> Answer:
    target = signed.extensions.get(TARGET_CHECK)  # of a link, whose signature covers how it is written
    return follow(client, str(signed.url) if target is None else target.url, request, extra, signed)


def follow(
    client: BatchClient, url: str, request: ApiRequest, extra: Mapping[str, str], signed: httpx.Request | None = None
) -> Answer:
    """Send a request and follow its redirects, with the headers ``extra`` to every origin.

    Method, body and headers of ``signed`` are for the connection's origin only; without it, it is a bare GET.
    ``request`` is for errors.
    """
    method, body = (signed.method, signed.read()) if signed else ("GET", b"")
    ours = dict(signed.headers) if signed else {}
    vendor, home = client.vendor, client.vendor.account.origin[1]
    connections = connections_of(client, allow_loopback=is_loopback_host(home))
    bare = {"user-agent": user_agent(), "accept-encoding": "identity", **extra}
    for _ in range(MOST_HOPS + 1):
        at_home = vendor.is_home(url)
        headers = {**bare, **ours, **extra} if at_home else bare
        headers = {name: value for name, value in headers.items() if name not in _PER_HOP}
        response = _sent(connections, method, url, headers, body or None)
        head = read_head(response)
        if at_home:
            client.note(head.status, head.headers)
        if head.status in _REDIRECTS and head.location:
            response.close()
            try:
                url = next_hop(url, head.location, connection_host=home)
            except ValueError:
                raise _no_url() from None
            if head.status not in (307, 308):
                method, body = "GET", b""
            elif method != "GET" and not vendor.is_home(url):
                raise UnsafeRedirectError("A redirect would send the request's body to another host.")
        elif head.status >= 400 and head.status != 416:
            answer = error_answer(response, head, url)
            if not at_home:
                raise store_error(answer, vendor=vendor.name)
            raise vendor.refusal(request, answer) or vendor.error(request, answer)
        else:
            return url, response, head
    raise UnsafeRedirectError(f"The download is redirected more than {MOST_HOPS} times.")


def _sent(
    connections: Connections, method: str, url: str, headers: dict[str, str], body: bytes | None
) -> urllib3.BaseHTTPResponse:
    try:
        return connections.send(method, url, headers, body)
    except (InvalidURL, ValueError):  # invalid host names and ports are only found here
        raise _no_url() from None
    except (HTTPError, HTTPException, OSError) as error:
        scheme, host, _ = origin(url)
        raise VendorUnavailableError(
            f"{host} cannot be reached for the download: {type(error).__name__}.",
            remedy=unreachable_remedy(words_of(error), f"{scheme}://{host}"),
        ) from None


def _no_url() -> UnexpectedResponseError:
    return UnexpectedResponseError("The download is redirected to an invalid URL.")


def next_hop(current: str, location: str, *, connection_host: str) -> str:
    """The absolute URL of a redirect from ``current``, without a fragment and otherwise unchanged: it may be signed.

    Raises:
        UnsafeRedirectError: it must not be followed.
    """
    try:
        target = _joined(current.partition("#")[0], location.partition("#")[0])
    except ValueError:
        target = location  # which is refused
    over_tls = urlsplit(current).scheme == "https"
    return checked_target(target, connection_host=connection_host, over_tls=over_tls, what="redirect")


def _joined(current: str, reference: str) -> str:
    """Resolve ``reference`` against ``current`` (RFC 3986, section 5.2), with the fewest changes.

    ``urljoin`` resolves dot segments in absolute references too, and drops empty segments and an empty query.
    """
    if _ABSOLUTE.match(reference):
        return reference
    before = current.partition("?")[0]
    scheme, _, rest = before.partition("//")
    if reference.startswith("//"):
        return scheme + reference
    authority, _, path = rest.partition("/")
    if reference.startswith("/"):
        return f"{scheme}//{authority}{reference}"
    relative, mark, query = reference.partition("?")
    if not relative:
        return f"{scheme}//{authority}/{path}{mark}{query}" if mark else current
    if _DOT_SEGMENT.search(relative):
        return urljoin(current, relative) + mark + query
    folder, slash, _ = path.rpartition("/")
    return f"{scheme}//{authority}/{folder}{slash}{reference}"
