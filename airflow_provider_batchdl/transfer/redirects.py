"""Where a redirect may lead.

Redirects are followed by hand. A link behind one is fetched bare: no credential and no custom header leaves the
connection's origin, and S3 answers 400 to a pre-signed link that comes with an ``Authorization`` header.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from airflow_provider_batchdl.exceptions import UnsafeRedirectError
from airflow_provider_batchdl.redaction import redact_url
from airflow_provider_batchdl.vendors.account import origin

MOST_HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Where clouds answer questions about the machine that asks, beyond the link-local 169.254.169.254.
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """``text`` as an IP address, the IPv4 one inside where it is mapped or tunnelled; None where it is a name."""
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        return address.ipv4_mapped or address.sixtofour or nat64 or address
    return address


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_forbidden(address: Address, *, allow_loopback: bool) -> bool:
    """Whether nothing a vendor links to can be at ``address``: link-local, metadata, multicast, unspecified."""
    if address.is_loopback:
        return not allow_loopback
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA_ADDRESSES


@lru_cache(maxsize=64)  # the same few hosts are asked about for every file
def is_loopback_host(host: str) -> bool:
    """Whether ``host`` is this machine by its very name: the emulator's, or a proxy's beside the worker."""
    address = parse_address(host)
    return address.is_loopback if address else host.lower().rstrip(".") == "localhost"


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
    url = urljoin(current, location)
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise _unsafe("it is no web address", url)
    if parts.scheme == "http" and urlsplit(current).scheme == "https":
        raise _unsafe("it leads from https to http", url)
    if "@" in parts.netloc:
        raise _unsafe("it carries credentials of its own", url)
    address = parse_address(host)
    local = is_loopback_host(connection_host)
    if host in _METADATA_HOSTS or (address and is_forbidden(address, allow_loopback=local)):
        raise _unsafe("it leads to a link-local, loopback or metadata address", url)
    if is_loopback_host(host) and not local:
        raise _unsafe("it leads to this machine", url)
    ours = parse_address(connection_host)
    if address and address.is_private and not local and not (ours and ours.is_private):
        raise _unsafe("it leads to a private address", url)
    return url


def stays_home(url: str, home: tuple[str, str, int]) -> bool:
    """Whether ``url`` is on the connection's origin, and may see its credentials."""
    return origin(url) == home


def _unsafe(why: str, url: str) -> UnsafeRedirectError:
    return UnsafeRedirectError(f"A redirect was not followed: {why} ({redact_url(url)[:200]}).")
