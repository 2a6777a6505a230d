"""Proxy settings from the environment.

The variables are read by the standard library, so they mean what they mean to ``requests`` and ``curl``: lower case
before upper case, an empty one as none, ``HTTP_PROXY`` not under CGI (https://httpoxy.org), a proxy without a scheme
as ``http://``. ``NO_PROXY`` has no standard; what is written here is what any of ``requests``, ``curl``, Go and
``httpx`` reads (https://about.gitlab.com/blog/2021/01/27/we-need-to-talk-no-proxy/ compares them).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from airflow_provider_batchdl._redaction.redactor import remember
from airflow_provider_batchdl._redaction.tracebacks import Secret
from airflow_provider_batchdl.client.environment.bypass import Bypass, parse_no_proxy
from airflow_provider_batchdl.exceptions import WorkerEnvironmentError

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
# What speaks SOCKS for httpx, and for urllib3.
_SOCKS_PACKAGES = ("socksio", "socks")


@dataclass(frozen=True)
class Proxy:
    """One proxy.

    Args:
        scheme: ``http``, ``https`` or ``socks5``.
        host: its name or address, without brackets.
        port: its port.
        variable: the environment variable that names it.
        username: percent-escapes undone; empty for none.
        password: likewise.
    """

    scheme: str
    host: str
    port: int
    variable: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Its URL without credentials."""
        return f"{self.scheme}://{self._host}:{self.port}"

    @property
    def shown(self) -> str:
        """Its URL with the credentials masked."""
        return f"{self.scheme}://{'***@' * self.has_credentials}{self._host}:{self.port}"

    @property
    def has_credentials(self) -> bool:
        """True if it needs credentials."""
        return bool(self.username or self.password)

    @property
    def authorization(self) -> str | None:
        """The value of ``Proxy-Authorization`` (RFC 7617), in UTF-8 as ``httpx`` sends it; None without credentials."""
        if not self.has_credentials:
            return None
        return Secret("Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode())

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True)
class Proxies:
    """The environment's proxies, as they were when it was read.

    Args:
        named: by the scheme of a URL, or ``all``: the variable, and what it holds.
        exceptions: what ``NO_PROXY`` says.
    """

    named: Mapping[str, tuple[str, str]] = field(repr=False)
    exceptions: tuple[Bypass, ...] = ()

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment (on macOS, where it names no proxy, the system's settings)."""
        values = {scheme: value.strip() for scheme, value in getproxies().items()}
        named = {
            scheme: (_variable(scheme), Secret(values[scheme]))
            for scheme in ("http", "https", "all")
            if values.get(scheme)
        }
        return cls(named, parse_no_proxy(values.get("no", "")) if named else ())

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy that ``url`` goes through; None for straight to its host.

        Raises:
            WorkerEnvironmentError: what the environment names is no proxy, or one that nothing here can speak to.
        """
        found = self._named_for(urlsplit(url).scheme) if self.named else None
        return None if found is None or self.exception_for(url) else _parse(*found)

    def exception_for(self, url: str) -> Bypass | None:
        """The entry of ``NO_PROXY`` that covers ``url``."""
        return next((each for each in self.exceptions if each.covers(url)), None)

    def check(self, scheme: str) -> None:
        """Check every proxy that an account's calls and downloads may need, before any of them goes.

        Args:
            scheme: that of the account's base URL. What it links to is ``https``, or from ``http`` also ``http``.

        Raises:
            WorkerEnvironmentError: one of them is none.
        """
        if not any(each.covers_all for each in self.exceptions):
            for found in map(self._named_for, (scheme, "https")):
                if found is not None:
                    _parse(*found)

    def _named_for(self, scheme: str) -> tuple[str, str] | None:
        return self.named.get(scheme) or self.named.get("all")


def _variable(scheme: str) -> str:
    """The name of the variable that holds it: as ``urllib.request.getproxies`` searches for it."""
    lower = f"{scheme}_proxy"
    others = (name for name, value in os.environ.items() if value and name.lower() == lower)
    return lower if os.environ.get(lower) else next(others, "the system's settings")


def _parse(variable: str, value: str) -> Proxy:
    text = value if "://" in value else f"http://{value.removeprefix('//')}"
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        raise _unusable(variable, "is no proxy's URL") from None
    is_split = "@" in parts.path + parts.query + parts.fragment  # by a sign of the password: "12/3", "12#3"
    if is_split or not host or port == 0 or any(letter.isspace() or not letter.isprintable() for letter in text):
        raise _unusable(variable, "is no proxy's URL")
    if scheme not in _PORTS:
        raise _unusable(variable, f"names a proxy of the kind {scheme!r}, which is not supported")
    if scheme.startswith("socks"):
        scheme = "socks5"
        if not all(map(find_spec, _SOCKS_PACKAGES)):
            raise WorkerEnvironmentError(
                f"The environment variable {variable} names a SOCKS proxy, for which packages are missing.",
                remedy="Install airflow-provider-batchdl[socks], or name an HTTP proxy.",
            )
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    for secret in (parts.password, password) if parts.password else (parts.username, username):
        remember(secret)
    if ":" in username and not scheme.startswith("socks"):
        raise _unusable(variable, "names a user with a ':' in it, which HTTP cannot send (RFC 7617, section 2)")
    return Proxy(scheme, host, port or _PORTS[scheme], variable, Secret(username), Secret(password))


def _unusable(variable: str, what: str) -> WorkerEnvironmentError:
    return WorkerEnvironmentError(
        f"The environment variable {variable} {what}.",
        remedy=(
            f"Set {variable} on this machine like http://host:3128, with special signs in a user's name and password "
            "percent-encoded (%40 for @), or unset it."
        ),
    )
