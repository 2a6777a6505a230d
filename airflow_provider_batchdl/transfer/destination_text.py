"""Parse destinations as users write them, and check that the store reads them in the same way.

A text that a lower layer takes for a wild card, a version, a chain of file systems or a relative path would land the
result elsewhere than the user reads. It is refused, in one sentence, before a job is submitted.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_batchdl._values.inputs import EMPTY, UPSTREAM, refuse_template
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.transfer.sinks.errors import clean
from airflow_provider_batchdl.transfer.sinks.local.partial import PARTIAL
from airflow_provider_batchdl.transfer.state import MANIFEST, WORK_FOLDER

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.destination import Destination

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOCAL = ("file", "local")
_AZURE = ("abfs", "abfss", "adl", "wasb", "wasbs")
_PORT = re.compile(r"^[^:]*:[0-9]*$")
# What ends the literal start of a URL's first part: its path, or a template.
_LITERAL = re.compile(r"/|\{[{%#]")
_SIGNATURE = re.compile(r"[?&](sig|signature|x-amz-signature|x-goog-signature)=", re.IGNORECASE)
# Up to the last "@": a password with a slash in it ends no URL's first part.
_PASSWORD = re.compile(r"(://[^/@:]*):.*@", re.DOTALL)
_SHOWN = 200
# Bytes of one name on Linux's file systems, and of a key in S3, Google's and Azure's stores.
_LONGEST_NAME = 255
_LONGEST_KEY = 1024
# Bytes of a path on Linux, without the NUL at its end.
_LONGEST_PATH = 4095
# The longest affix of an object's name: that of the record of what its result replaces.
_BESIDE = len("._replaced.json.0123456789abcdef.part")
_REMEDY = "Correct the task's destination; where it is a template, see what it renders to."


@dataclass(frozen=True)
class Written:
    """A parsed destination."""

    connection: str | None  # the id of the Airflow connection before the ``@``
    path: str  # a local path, or bucket and key, without a slash at its end


def parse_destination(text: str) -> Written:
    """Read a rendered destination: ``s3://aws_conn@bucket/key``, ``file:///…`` or an absolute local path.

    Raises:
        InvalidRequestError: it is empty, or its meaning depends on who reads it.
    """
    if not text.strip():
        raise InvalidRequestError(
            "The destination is empty.", remedy="See what its template renders to; leave it out for XCom."
        )
    if text.strip().lower() in EMPTY:
        _refuse(text, "is no place", UPSTREAM)
    refuse_template("destination", text)
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        _refuse(text, "has a line break, another control character or half a character in it")
    if text != text.strip():
        _refuse(text, "begins or ends with a blank")
    if "\\" in text:
        _refuse(text, "has a backslash in it, and folders are separated by '/'")
    scheme = _SCHEME.match(text)
    written = _parse_url(text, scheme[1].lower()) if scheme else _parse_path(text)
    segments = written.path.removeprefix("/").split("/")
    if "" in segments and written.path not in ("", "/"):
        _refuse(text, "has an empty segment, '//'")
    if "." in segments or ".." in segments:
        _refuse(text, "has a segment '.' or '..', which stores read differently")
    if not text.endswith("/") and PARTIAL.fullmatch(segments[-1]):
        _refuse(text, "has the name of a partial file, which a clean-up would remove")
    if WORK_FOLDER in segments or (not text.endswith("/") and segments[-1].casefold() == MANIFEST):
        _refuse(text, "has a name that is taken: manifests and what is unfinished have it beside results")
    _refuse_long(text, scheme is None or scheme[1].lower() in _LOCAL, segments)
    return written


def check_round_trip(text: str, written: Written, place: Destination, connection: str | None) -> None:
    """Check that the store and Airflow read the destination as it is written.

    Raises:
        InvalidRequestError: its ``place`` is another object, a version of one, or it names another ``connection``.
    """
    wanted = written.path.strip("/")
    readings, versions = [place.path, place.fs._strip_protocol(place.path)], []
    if hasattr(place.fs, "split_path"):
        bucket, key, *versions = place.fs.split_path(place.path.rstrip("/"))
        readings.append(f"{bucket}/{key}")
    for reading in readings:
        if any(versions) or reading.strip("/") != wanted:
            _refuse(text, f"is {clean(reading)!r} to the store")
    if connection != written.connection:
        _refuse(text, "names another connection to Airflow than it shows")


def refuse_credentials(text: str) -> None:
    """Refuse a password or a signature in a destination, also in what stands before its templates.

    Raises:
        InvalidRequestError: it has one; the error does not show it.
    """
    scheme, is_url, rest = text.strip().partition("://")
    if not is_url:
        return
    authority = _LITERAL.split(rest, maxsplit=1)[0]
    connection, _, host = authority.rpartition("@")
    if ":" in connection or (":" in host and not host.startswith("arn:") and not _PORT.search(host)):
        remedy = "Put credentials into an Airflow connection, and its id before the '@': s3://conn@bucket/key."
        _refuse(f"{scheme}://***", "has a password, or another ':', where the connection's id or the bucket is", remedy)
    if _SIGNATURE.search(rest):
        _refuse(text, "has a signature in it; the credentials come from an Airflow connection")


def _parse_path(text: str) -> Written:
    if text.startswith("~"):
        _refuse(text, "begins with '~', which is not expanded")
    if not text.startswith("/"):
        _refuse(text, "is relative to a folder that each worker has another of")
    return Written(None, text.removesuffix("/") or "/")


def _parse_url(text: str, scheme: str) -> Written:
    prefix, slashes, rest = text.partition("://")
    if not slashes or len(prefix) != len(scheme):
        _refuse(text, f"has no '//' after {scheme + ':'!r}")
    if "::" in text:
        _refuse(text, "has '::' in it, which joins file systems to one another")
    authority, slash, path = rest.partition("/")
    connection, at, host = authority.rpartition("@")
    if at and not connection:
        _refuse(text, "has an '@' and no connection's id before it")
    refuse_credentials(text)
    if scheme in _LOCAL:
        if host or not slash:
            _refuse(text, f"names a host, {host!r}; a local file is file:///…")
        return Written(connection or None, "/" + path.removesuffix("/"))
    if not host:
        _refuse(text, "names no bucket")
    if scheme in _AZURE and "." in host:
        _refuse(text, "names an account; Airflow's is abfs://connection@container/…, and the account the connection's")
    if not path and not slash:
        _refuse(text, "names no object; a folder ends in '/'")
    return Written(connection or None, f"{host}/{path}".removesuffix("/"))


def _refuse_long(text: str, local: bool, segments: list[str]) -> None:
    """Refuse names that are too long for the store, with those that are written beside the object."""
    room = 0 if text.endswith("/") else _BESIDE
    *folders, name = (len(segment.encode()) for segment in segments)
    if local and (name > _LONGEST_NAME - room or max(folders, default=0) > _LONGEST_NAME):
        _refuse(text, f"has a name of more than {_LONGEST_NAME - room} bytes, with what is written beside it")
    longest = _LONGEST_PATH - len(WORK_FOLDER) - 1 - (room or _LONGEST_NAME + 1)
    if local and len("/".join(segments).encode()) >= longest:
        _refuse(text, f"is a path of more than {longest:,} bytes, with what is written beside it")
    key = len("/".join(segments[1:]).encode())
    if not local and key > _LONGEST_KEY - room:
        _refuse(text, f"has a key of more than {_LONGEST_KEY - room:,} bytes, with what is written beside it")


def _refuse(text: str, why: str, remedy: str = _REMEDY) -> NoReturn:
    shown = _PASSWORD.sub(r"\1:***@", clean(text))
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    raise InvalidRequestError(f"The destination {shown!r} {why}.", remedy=remedy)
