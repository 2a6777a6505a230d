"""Where a redirect may lead.

Redirects are followed by hand. A link behind one is fetched bare: no credential and no custom header leaves the
connection's origin, and S3 answers 400 to a pre-signed link that comes with an ``Authorization`` header.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import threading
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.redaction import excerpt
from airflow_provider_batchdl.vendors.account import origin

MOST_HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RESOLVE_SECONDS = 2.0

# Where clouds and clusters answer questions about the machine that asks, beyond the link-local 169.254.169.254.
_METADATA_HOSTS = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    }
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
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # where the address of IPv4 stands in it, its users agree on
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214, section 6.1

# What is left of a host's name once it is in ASCII; an escape or a backslash is read in several ways.
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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
    """Each address that ``host`` may be read as; none where it is a name.

    Raises:
        ValueError: it is neither, or nobody knows which.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone of this machine")
        return [address for address in (parse_address(host), ipaddress.ip_address(host)) if address is not None]
    if not _NAME.fullmatch(host):
        raise ValueError("no name")
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return []
    address = parse_address(host)
    if address is None:
        raise ValueError("a number and no address")
    # A leading zero means octal to the resolver, and nothing to others.
    plain = ".".join(part if part.startswith("0x") else part.lstrip("0") or "0" for part in host.split("."))
    return [reading for reading in (address, parse_address(plain)) if reading is not None]


def is_forbidden(address: Address, *, allow_loopback: bool) -> bool:
    """Whether nothing a vendor links to can be at ``address``: link-local, metadata, multicast, unspecified."""
    if address.is_loopback:
        return not allow_loopback
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA_ADDRESSES


def _is_private(address: Address) -> bool:
    """Whether ``address`` means something else in each network: carriers' shared ones (100.64.0.0/10) do, too."""
    return not address.is_global or address in _LOCAL_NAT64


@lru_cache(maxsize=64)  # the same few hosts are asked about for every file
def is_loopback_host(host: str) -> bool:
    """Whether ``host`` is this machine by its very name: the emulator's, or a proxy's beside the worker."""
    address = parse_address(host)
    name = host.lower().rstrip(".")
    return address.is_loopback if address else name in _LOOPBACK_HOSTS or name.endswith(".localhost")


@lru_cache(maxsize=256)
def resolved(host: str) -> tuple[Address, ...]:
    """The addresses of ``host`` as this machine's resolver knows it: what can be checked of what a proxy will reach.

    None where it does not know the name or takes long: behind a proxy that is ordinary, and the proxy's own rules hold.
    """
    found: list[Address] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            found.extend(filter(None, (parse_address(str(info[4][0])) for info in socket.getaddrinfo(host, None))))

    asking = threading.Thread(target=ask, daemon=True, name="batchdl-resolve")  # the resolver itself cannot be stopped
    asking.start()
    asking.join(RESOLVE_SECONDS)
    return tuple(found)


def check_resolved(host: str, *, allow_loopback: bool) -> None:
    """Refuse a ``host`` that a proxy would reach where no result can be, as far as that is known here.

    Raises:
        UnsafeRedirectError: this machine resolves it to such an address.
    """
    for address in resolved(host.rstrip(".")):
        if is_forbidden(address, allow_loopback=allow_loopback):
            raise UnsafeRedirectError(f"{host} resolves to {address}, where no result can be.")


def next_hop(current: str, location: str, *, connection_host: str) -> str:
    """The absolute URL that a redirect leads to.

    Args:
        current: the URL that answered with the redirect.
        location: its ``Location``, absolute or relative (RFC 9110, section 10.2.2).
        connection_host: the host of the connection; only one on loopback may link to loopback, and only one at a
            private address to a private address given as a number. A *name* may resolve to a private address: that
            is how private endpoints of object stores work.

    Raises:
        UnsafeRedirectError: it must not be followed.
    """
    try:
        url, parts, host = _parsed(current, location)
        addresses = _readings(host)
    except ValueError:
        raise _unsafe("it is no web address that can be checked", location) from None
    if parts.scheme == "http" and urlsplit(current).scheme == "https":
        raise _unsafe("it leads from https to http", url)
    local = is_loopback_host(connection_host)
    forbidden = any(is_forbidden(address, allow_loopback=local) for address in addresses)
    if forbidden or (host in _METADATA_HOSTS and host != connection_host.lower().rstrip(".")):
        raise _unsafe("it leads to a link-local, loopback or metadata address", url)
    if is_loopback_host(host) and not local:
        raise _unsafe("it leads to this machine", url)
    ours = parse_address(connection_host)
    if any(map(_is_private, addresses)) and not local and not (ours and _is_private(ours)):
        raise _unsafe("it leads to a private address", url)
    return url


def _parsed(current: str, location: str) -> tuple[str, SplitResult, str]:
    """The URL, its parts, and its host in lower case and ASCII, without a dot at the end.

    Raises:
        ValueError: it is no web address, carries credentials, or not everybody would read it alike.
    """
    url = urljoin(current, location)
    parts = urlsplit(url)
    raw = parts.hostname or ""
    # Beyond ASCII, other digits and dots are digits and dots: the codec does as resolvers and proxies do (RFC 3491).
    host = raw if raw.isascii() else raw.encode("idna").decode()
    if not raw.isascii():
        parts = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}")
        url = urlunsplit(parts)
    strange = (
        any(sign in location for sign in "\t\r\n") or any(sign in parts.netloc for sign in "@\\ ") or parts.port == 0
    )
    future = "[" in parts.netloc and ":" not in host  # what RFC 3986 leaves room for, and nobody can connect to
    if parts.scheme not in ("http", "https") or not host or strange or future:
        raise ValueError(url)
    return url, parts, host.lower().rstrip(".")


def stays_home(url: str, home: tuple[str, str, int]) -> bool:
    """Whether ``url`` is on the connection's origin, and may see its credentials."""
    return origin(url) == home


def _unsafe(why: str, url: str) -> UnsafeRedirectError:
    return UnsafeRedirectError(f"A redirect was not followed: {why} ({excerpt(url.partition('#')[0], 200)}).")
