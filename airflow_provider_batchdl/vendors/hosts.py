"""Hosts as people write them, and the base URL that they mean."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit, urlunsplit

from airflow_provider_batchdl.vendors.words import stripped

_SCHEMES = ("https", "http")
# What a connection's schema field means elsewhere; anything else in it is the path of a connection written as a URI.
_OTHER_SCHEMES = frozenset({"file", "ftp", "ftps", "s3", "sftp", "ssl", "tcp", "tls", "ws", "wss"})
_HALF_A_SCHEME = re.compile(r"https?(?:[:/]|\Z)(?!//)", re.IGNORECASE)
_NEVER = re.compile(r"[\s\\]")
_NONE = "is no base URL like https://host/path"
_PATH = re.compile(r"(?:[\w.~+-]|/(?!/))*", re.ASCII)
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?")
_LARGEST_PORT = 65_535


class NoBaseUrlError(ValueError):
    """The ``field`` of a connection gives no base URL. Its words follow the field's name, and show no secret."""

    def __init__(self, problem: str, field: str = "host") -> None:
        super().__init__(problem)
        self.field = field


def base_url(host: str | None, default: str, *, schema: str | None = None, port: int | None = None) -> str:
    """The base URL, without a final slash, that a connection's fields mean; ``default`` is the vendor's own.

    At the host of ``default`` there is one API, so its path may be left out, and must not be another. The schema field
    is a scheme, or the path of a connection that is written as a URI, which Airflow puts there. A port of 0 is none:
    Airflow 3.3's form sends it for an empty one.
    """
    scheme, path = _read_schema(schema)
    text, own = stripped(host or ""), urlsplit(default)
    if not text:
        text = f"{own.scheme}://{own.netloc}{'' if path else own.path}"
    parts = _split(text, scheme or _SCHEMES[0])
    if path and parts.path.strip("/"):
        raise NoBaseUrlError("has a path in it, and the host has one of its own", "schema")
    whole = f"/{path}" if path else parts.path.rstrip("/")
    name = parts.hostname or ""
    if name == (own.hostname or "").lower():
        if whole not in ("", own.path):
            expected = f"{own.path!r}, or none" if own.path else "none: each request brings its own"
            has = "a path in it" if path else f"the path {whole!r}"  # a schema field may hold the key, by mistake
            raise NoBaseUrlError(f"has {has}, and this API's is {expected}", "schema" if path else "host")
        whole = own.path
    number = _port(parts, port)
    netloc = f"[{name}]" if ":" in name else name
    return urlunsplit((parts.scheme, f"{netloc}:{number}" if number else netloc, whole, "", ""))


def _read_schema(schema: str | None) -> tuple[str | None, str | None]:
    """The scheme that the schema field names, or the path."""
    text = stripped(schema or "")
    if text.lower() in _SCHEMES:
        return text.lower(), None
    if text.lower() in _OTHER_SCHEMES or not _PATH.fullmatch(text) or {".", ".."} & set(text.split("/")):
        raise NoBaseUrlError("is neither http nor https", "schema")
    return None, text.strip("/") or None


def _split(text: str, scheme: str) -> SplitResult:
    """The parts of the URL; its host's name in small letters and ASCII."""
    if text.count("://") > 1:
        raise NoBaseUrlError("has '://' in it twice")
    # urlsplit drops line breaks and tabs unsaid, and a backslash is a slash to some and a letter to others.
    if _NEVER.search(text) or not text.isprintable() or _HALF_A_SCHEME.match(text):
        raise NoBaseUrlError(_NONE)
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        name = parts.hostname or ""
        ascii_name = str(IPv6Address(name)) if ":" in name else _in_ascii(name)
    except ValueError:
        raise NoBaseUrlError(_NONE) from None
    if parts.scheme not in _SCHEMES:
        raise NoBaseUrlError(f"begins with {parts.scheme + '://'!r}, and only https:// and http:// are spoken here")
    if "@" in parts.netloc:
        raise NoBaseUrlError("has an '@' in it: credentials do not belong there")
    if parts.query or parts.fragment:
        raise NoBaseUrlError(f"has {'a query' if parts.query else 'a fragment'} in it")
    path = parts.path.rstrip("/")
    if not (":" in name or _NAME.fullmatch(name)) or "//" in path or {".", ".."} & set(path.split("/")):
        raise NoBaseUrlError(_NONE)
    return parts if ascii_name == name else parts._replace(netloc=parts.netloc.lower().replace(name, ascii_name))


def _in_ascii(name: str) -> str:
    """A host's name as it is looked up, sent and compared with others (RFC 5891)."""
    if name.isascii():
        return name.encode("idna").decode()  # no ASCII name changes by it, but one that no host can have raises
    from httpx import URL, InvalidURL

    try:
        return URL(scheme="https", host=name).raw_host.decode()
    except InvalidURL as error:
        raise ValueError(name) from error


def _port(parts: SplitResult, field: int | None) -> int | None:
    """The port that host and port field say, if any."""
    try:
        own = parts.port
    except ValueError:
        raise NoBaseUrlError(f"has a port in it that is no number up to {_LARGEST_PORT}") from None
    if field and not 0 < field <= _LARGEST_PORT:
        raise NoBaseUrlError(f"is {field}, and there are none but 1 to {_LARGEST_PORT}", "port")
    if own and field and own != field:
        raise NoBaseUrlError(f"is {field}, and the host says {own}", "port")
    return own or field or None
