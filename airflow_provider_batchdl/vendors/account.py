"""Who asks: one connection's host and credentials."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.frames import Secret
from airflow_provider_batchdl.redaction import remember

Origin = tuple[str, str, int]
_PORTS = {"https": 443, "http": 80}
# All that tells the origin of most URLs; whatever else is in one (a user, an escape, an address of IPv6) is not taken.
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?=[/?#]|\Z)")


def origin(url: str) -> Origin:
    """Scheme, host and port of ``url`` (RFC 6454, section 4), lower case, the port made explicit.

    Something that is no URL has an origin that equals no account's.
    """
    plain = _PLAIN.match(url)
    return _origin(plain[0]) if plain else _origin.__wrapped__(url)


@lru_cache(maxsize=256)
def _origin(url: str) -> Origin:
    """Remembered for what comes with each file of a host; not for URLs that may hold a secret."""
    try:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        return "", "", 0


def base_url(host: str | None, default: str, *, schema: str | None = None, port: int | None = None) -> str:
    """The base URL, without a final slash, that a connection's host field means.

    Args:
        host: a full URL, path included, or a bare host name; None or empty for ``default``.
        default: the vendor's own base URL.
        schema: the connection's schema field; ``http`` there says so in so many words.
        port: the connection's port field.

    Raises:
        InvalidRequestError: no URL of http or https comes out of it, or it carries credentials.
    """
    text = (host or "").strip() or default
    if "://" not in text:
        scheme = (schema or "").strip().lower()
        text = f"{scheme if scheme in _PORTS else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        own_port = parts.port
        (parts.hostname or "").encode("idna")  # what a resolver would otherwise trip over, much later
    except ValueError:
        raise _no_base_url() from None
    # urlsplit drops line breaks and tabs unsaid, and a backslash is a slash to some and a letter to others.
    strange = any(letter.isspace() or not letter.isprintable() or letter == "\\" for letter in text)
    extras = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _PORTS or not parts.hostname or extras or strange:
        raise _no_base_url()
    netloc = parts.netloc if own_port or not port else f"{parts.netloc.rstrip(':')}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))


def _no_base_url() -> InvalidRequestError:
    return InvalidRequestError(
        "The connection's host is not a base URL.",
        remedy="Give https://host/path without credentials, query or fragment, or leave it empty.",
    )


@dataclass(frozen=True)
class Account:
    """One account at a vendor. Its representation shows no secret.

    Args:
        base_url: the API's base URL, without a final slash.
        secret: key, client secret or token.
        login: client id, where there is one.
        extra: the connection's extra.
    """

    base_url: str
    secret: str = field(default="", repr=False)
    login: str | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __post_init__(self) -> None:
        """Nobody can use the secret before the redactor knows it."""
        remember(self.secret)
        object.__setattr__(self, "secret", Secret(self.secret))

    @cached_property
    def origin(self) -> Origin:
        """The only place that may see the credentials."""
        return origin(self.base_url)

    @property
    def fingerprint(self) -> str:
        """A name for the account that does not give the secret away: what tokens and rate limits are kept under."""
        material = "\0".join((self.base_url, self.login or "", self.secret))
        return hashlib.blake2b(material.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def text(self, name: str) -> str | None:
        """A member of the extra as text, None where it is missing or empty."""
        value = self.extra.get(name)
        return None if value is None or value == "" else str(value)
