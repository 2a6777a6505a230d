"""``NO_PROXY``: which URLs go straight to their hosts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A port behind a name, an address of IPv4, or one of IPv6 in brackets.
_WITH_PORT = re.compile(r"(\[[^\]]*\](?:/\d+)?|[^:]*):(\d+)")


@dataclass(frozen=True)
class Bypass:
    """One entry of ``NO_PROXY``.

    Args:
        text: as it is written there.
        scheme: of which URLs; empty for any.
        host: a name, for itself and what is below it; empty for any host.
        network: an address or a network of them, in place of a name.
        port: of which URLs; None for any.
    """

    text: str
    scheme: str = ""
    host: str = ""
    network: _Network | None = None
    port: int | None = None

    @property
    def covers_all(self) -> bool:
        """True for ``*``."""
        return not self.scheme and not self.host and self.network is None and self.port is None

    def covers(self, url: str) -> bool:
        """True if ``url`` goes directly to its host."""
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return False
        return self.scheme in ("", parts.scheme) and self.port in (None, port) and self._covers_host(parts)

    def _covers_host(self, parts: SplitResult) -> bool:
        address, name = _host_of(parts.hostname or "")
        if self.network is not None:
            return address is not None and address in self.network
        return not self.host or (address is None and (name == self.host or name.endswith(f".{self.host}")))


def parse_no_proxy(text: str) -> tuple[Bypass, ...]:
    """The entries of ``NO_PROXY``, which commas or blanks separate.

    An entry is ``*``; a name, which stands for what is below it, too, also where it begins with ``.`` or ``*.``; an
    address; or a network of addresses. IPv6 may stand in brackets, a port behind each, a scheme before it. An entry
    that is nothing of these covers nothing.
    """
    return tuple(filter(None, map(_parse, text.replace(",", " ").split())))


def _parse(text: str) -> Bypass | None:
    scheme, _, rest = text.lower().rpartition("://")
    rest, port = rest.rstrip("/"), None
    if found := _WITH_PORT.fullmatch(rest):
        rest, port = found[1], int(found[2])
    scheme = "" if scheme == "all" else scheme
    try:
        network = ipaddress.ip_network(rest.translate({ord("["): None, ord("]"): None}), strict=False)
    except ValueError:
        _, name = _host_of(rest.removeprefix("*").lstrip("."))
        return Bypass(text, scheme, name, port=port) if name or rest == "*" else None
    return Bypass(text, scheme, network=network, port=port)


@lru_cache(maxsize=256)
def _host_of(host: str) -> tuple[_Address | None, str]:
    """A host as an address, the one of IPv4 inside where it is mapped; else as a name in lower case and ASCII."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().rstrip(".")
        try:
            return None, name if name.isascii() else name.encode("idna").decode()
        except ValueError:
            return None, name
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, ""
