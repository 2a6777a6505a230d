"""Check where a link leads, before anything is sent there: the same for a redirect's target and a request's own URL.

Beyond the connection's origin, requests go without credentials and custom headers: they must not leak, and S3 answers
400 to a pre-signed link with an ``Authorization`` header.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import threading
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import UnsafeRedirectError

RESOLVE_SECONDS = 2.0

# Metadata services of clouds and clusters, beyond the link-local 169.254.169.254.
_METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata.tencentyun.com"}
    | {"instance-data", "instance-data.ec2.internal", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
    | {"kubernetes.default.svc.cluster.local"}
)
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
# RFC 6761, section 6.3, and what distributions write into /etc/hosts.
_LOOPBACK_HOSTS = frozenset(
    {"localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6"}
    | {"localhost6.localdomain6", "ip6-localhost", "ip6-loopback"}
)
# Networks of IPv6 whose addresses end in one of IPv4: NAT64 (RFC 6052), compatible (RFC 4291), translated (RFC 7915).
_ENDING_IN_IPV4 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96"))
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # its operators choose where the IPv4 address is in it
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214, section 6.1

# A host name in ASCII; escapes and backslashes are read differently by different parsers.
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TARGET_CHECK = "batchdl.target"
"""Name of the extension of an ``httpx.Request`` that holds its :class:`TargetCheck`."""


def parse_address(text: str) -> Address | None:
    """``text`` as an IP address, the IPv4 one inside where it is mapped or tunnelled; None where it is a name.

    As the resolver reads it (``inet_aton``): ``127.1``, ``0177.0.0.1``, ``0x7f000001``, ``2130706433`` are addresses.
    """
    bare = text.strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(bare)) if _NUMBER.match(bare.lower()) else None
        except (OSError, ValueError):
            return None
    return (_inner(address) or address) if isinstance(address, ipaddress.IPv6Address) else address


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that packets to ``address`` end at."""
    known = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    number = int(address)
    ends_in_it = any(address in network for network in _ENDING_IN_IPV4) or (number >> 32) & 0xFFFFFFFF in _ISATAP
    if known or not ends_in_it or number <= 1:
        return known
    return ipaddress.IPv4Address(number & 0xFFFFFFFF)


def _readings(host: str) -> list[Address]:
    """Each address that ``host`` may be read as; none where it is a name. ValueError where nobody knows which it is."""
    if ":" in host:
        if "%" in host:
            raise ValueError("an address with a zone")
        return [address for address in (parse_address(host), ipaddress.ip_address(host)) if address is not None]
    if not _NAME.fullmatch(host):
        raise ValueError("no name")
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return []
    address = parse_address(host)
    if address is None:
        raise ValueError("a number that is no address")
    # A leading zero means octal to the resolver, and nothing to others.
    plain = ".".join(part if part.startswith("0x") else part.lstrip("0") or "0" for part in host.split("."))
    return [reading for reading in (address, parse_address(plain)) if reading is not None]


def is_forbidden(address: Address, *, allow_loopback: bool) -> bool:
    """True if no result can be at ``address``: link-local, metadata, multicast, unspecified."""
    if address.is_loopback:
        return not allow_loopback
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA_ADDRESSES


def _is_private(address: Address) -> bool:
    """True if ``address`` is private, carriers' shared ones (100.64.0.0/10) included."""
    return not address.is_global or address in _LOCAL_NAT64


@lru_cache(maxsize=64)  # called with the same few hosts for every file
def is_loopback_host(host: str) -> bool:
    """True if ``host`` names this machine: the emulator, or a proxy beside the worker."""
    address = parse_address(host)
    name = host.lower().rstrip(".")
    return address.is_loopback if address else name in _LOOPBACK_HOSTS or name.endswith(".localhost")


@lru_cache(maxsize=256)
def resolved(host: str) -> tuple[Address, ...]:
    """The addresses of ``host`` by this machine's resolver, to check what a proxy will reach.

    None where the name is unknown or the resolver is slow: normal behind a proxy, whose own rules apply.
    """
    found: list[Address] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(filter(None, (parse_address(str(info[4][0])) for info in socket.getaddrinfo(host, None))))

    asking = threading.Thread(target=ask, daemon=True, name="batchdl-resolve")  # the resolver cannot be interrupted
    asking.start()
    asking.join(RESOLVE_SECONDS)
    return tuple(found)


def check_resolved(host: str, *, allow_loopback: bool) -> None:
    """Refuse a ``host`` that resolves to an address where no result can be; for requests through a proxy."""
    for address in resolved(host.rstrip(".")):
        if is_forbidden(address, allow_loopback=allow_loopback):
            raise UnsafeRedirectError(f"{host} resolves to {address}, where no result can be.")


def checked_target(url: str, *, connection_host: str, over_tls: bool, what: str = "link") -> str:
    """``url`` without a fragment and otherwise unchanged, since it may be signed; refuses one that may not be followed.

    Only a connection on loopback may link to loopback, and only one at a private address to a private address given as
    a number. A *name* may resolve to a private address: that is how private endpoints of object stores work. What was
    received over https may not lead to http.
    """
    try:
        bare, parts, host = parsed_target(url)
        addresses = _readings(host)
    except ValueError:
        raise _unsafe(what, "it is no valid web address", url) from None
    if parts.scheme == "http" and over_tls:
        raise _unsafe(what, "it leads from https to http", bare)
    local = is_loopback_host(connection_host)
    forbidden = any(is_forbidden(address, allow_loopback=local) for address in addresses)
    if forbidden or (host in _METADATA_HOSTS and host != connection_host.lower().rstrip(".")):
        raise _unsafe(what, "it leads to a link-local, loopback or metadata address", bare)
    if is_loopback_host(host) and not local:
        raise _unsafe(what, "it leads to this machine", bare)
    ours = parse_address(connection_host)
    if any(map(_is_private, addresses)) and not local and not (ours and _is_private(ours)):
        raise _unsafe(what, "it leads to a private address", bare)
    return bare


def parsed_target(url: str) -> tuple[str, SplitResult, str]:
    """The URL without a fragment, its parts, and its host in lower case and ASCII; ValueError if it is ambiguous."""
    url = url.partition("#")[0]
    parts = urlsplit(url)
    raw = parts.hostname or ""
    # Non-ASCII digits and dots become digits and dots: the codec does as resolvers and proxies do (RFC 3491).
    host = raw if raw.isascii() else raw.encode("idna").decode()
    if not raw.isascii():
        netloc = host if parts.port is None else f"{host}:{parts.port}"
        url = url.replace(parts.netloc, netloc, 1)
        parts = parts._replace(netloc=netloc)
    strange = any(sign in url for sign in "\t\r\n") or any(sign in parts.netloc for sign in "@\\ ") or parts.port == 0
    future = "[" in parts.netloc and ":" not in host  # RFC 3986's IPvFuture, which nothing can connect to
    if parts.scheme not in ("http", "https") or not host or strange or future:
        raise ValueError(url)
    return url, parts, host.lower().rstrip(".")


def _unsafe(what: str, why: str, url: str) -> UnsafeRedirectError:
    return UnsafeRedirectError(f"A {what} was not followed: {why} ({excerpt(url.partition('#')[0], 200)}).")


class TargetCheck:
    """Checks the address that a bare request really reaches, before a byte is sent: a name may resolve to anything.

    Through a proxy that cannot be seen, so there this machine's resolver is asked, as for downloads. ``url`` is the
    link as it was written, without a fragment.
    """

    def __init__(self, url: str, *, allow_loopback: bool) -> None:
        self.url = url
        self._allow_loopback = allow_loopback
        self._is_proxied = False

    def through_proxy(self, host: str) -> None:
        """Note that a proxy is used, and check ``host`` by this machine's resolver, which may block."""
        self._is_proxied = True
        check_resolved(host, allow_loopback=self._allow_loopback)

    def fault_of(self, stream: Any) -> UnsafeRedirectError | None:
        """The error if a connection that was just made reached what it must not."""
        if self._is_proxied:
            return None
        reached = stream.get_extra_info("server_addr")
        address = parse_address(str(reached[0])) if reached else None
        if address is not None and not is_forbidden(address, allow_loopback=self._allow_loopback):
            return None
        return UnsafeRedirectError(f"A link was not followed: its host resolves to {address}, where no result can be.")
