"""Account at a vendor: one connection's host and credentials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_batchdl._redaction.redactor import remember
from airflow_provider_batchdl._redaction.tracebacks import Secret
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.words import stripped

__all__ = ["Account"]

Origin = tuple[str, str, int]
_PORTS = {"https": 443, "http": 80}
TOKEN_BASE_URLS: dict[str, str | None] = {}
"""Base URLs that token endpoints have named, per process, by the account's fingerprint; None before the first token."""


def origin(url: str) -> Origin:
    """Scheme, host and port of ``url`` (RFC 6454, section 4), lower case, the port made explicit.

    Something that is no URL has an origin that equals no account's.
    """
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        return "", "", 0


@dataclass(frozen=True)
class Account:
    """One account at a vendor. Its representation shows no secret.

    Args:
        base_url: the API's base URL, without a final slash.
        secret: API key, client secret or token.
        login: client id, where there is one.
        extra: the connection's extra.
        conn_id: the connection's id, for errors; two connections may lead to one account.
        scope: a digest of what else tells two accounts apart: the document of a declared vendor.
    """

    base_url: str
    secret: str = field(default="", repr=False)
    login: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    conn_id: str | None = field(default=None, compare=False)
    scope: str = ""

    def __post_init__(self) -> None:
        """Register the secret with the redactor, before anybody can use it."""
        remember(self.secret)
        object.__setattr__(self, "secret", Secret(self.secret))

    @cached_property
    def origin(self) -> Origin:
        """Scheme, host and port of the base URL: the only place that gets the credentials."""
        return origin(self.base_url)

    @cached_property
    def fingerprint(self) -> str:
        """Name of the account without its secret: the key of token and rate limit caches."""
        material = "\0".join((self.base_url, self.login or "", self.secret, *filter(None, (self.scope,))))
        return hashlib.blake2b(material.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def text(self, name: str) -> str | None:
        """A member of the extra as text, without blanks around it; None where it is missing or empty."""
        value = self.extra.get(name)
        return None if value is None else stripped(str(value)) or None

    def wrong(self, field: str, problem: str, remedy: str, *, vendor: str | None = None) -> InvalidConnectionError:
        """The error about a field of the connection; see ``InvalidConnectionError.of_field``."""
        return InvalidConnectionError.of_field(field, problem, conn_id=self.conn_id, remedy=remedy, vendor=vendor)
