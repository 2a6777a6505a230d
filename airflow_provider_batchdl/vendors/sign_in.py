"""Base URL from a token endpoint's answer: where the token may go, and a request that is moved there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url

BUILT_ON = "batchdl.base_url"
"""Name of the extension of an ``httpx.Request`` that holds the base URL before its path."""

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def checked_base_url(named: object, *, home: str, hosts: tuple[str, ...], vendor: str) -> str:
    """The base URL that a token endpoint names, without a final slash.

    Args:
        named: the value in the answer.
        home: the connection's base URL, to whose origin the token may go in any case.
        hosts: hosts, or ends of hosts after a dot, to which it may go by https, on the usual port.
        vendor: the vendor's name, for errors.

    Raises:
        InvalidConnectionError: it is no base URL, or is elsewhere.
    """
    try:
        # Of no default's host, so that any path is its own.
        found = base_url(named if isinstance(named, str) and "://" in named else "://", "https://x.invalid")
    except NoBaseUrlError:
        raise _refused("no base URL", named, vendor) from None
    scheme, host, port = origin(found)
    if (scheme, host, port) == origin(home):
        return found
    allowed = any(host == each.lower() or host.endswith(f".{each.lower()}") for each in hosts if each)
    if not (allowed and scheme == "https" and port == 443 and _HOST.fullmatch(host)):
        raise _refused("a host that may not get the token", named, vendor)
    return found


def _refused(what: str, named: object, vendor: str) -> InvalidConnectionError:
    where = f" ({excerpt(urlsplit(named).netloc, 80)})" if isinstance(named, str) and _is_url(named) else ""
    return InvalidConnectionError(
        f"The token endpoint's answer names {what} as the API's address{where}; nothing was sent there.",
        vendor=vendor,
        remedy="Check the connection's host: the token must come from the vendor's own address.",
    )


def _is_url(text: str) -> bool:
    try:
        return "@" not in urlsplit(text).netloc
    except ValueError:
        return False


def move(request: httpx.Request, base: str) -> None:
    """Send ``request`` to ``base``, where it was built on another base URL; one of an absolute URL stays."""
    built_on = request.extensions.get(BUILT_ON)
    if built_on is None or built_on == base:
        return
    old, new = httpx.URL(built_on), httpx.URL(base)
    path = request.url.raw_path.removeprefix(old.raw_path.rstrip(b"/"))
    request.url = new.copy_with(raw_path=new.raw_path.rstrip(b"/") + path)
    request.headers["Host"] = request.url.netloc.decode("ascii")
    request.extensions[BUILT_ON] = base
