"""Input of a flow: a submission, and the HTTP requests that a flow makes of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pendulum import UTC

from airflow_provider_batchdl._redaction.redactor import excerpt, redact
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

# Headers that no request sets, in small letters: credentials are of `Vendor.auth`; the others say how the message is
# sent, name another place for the credentials, or are set for each download.
CLIENT_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding", "connection"}
    | {"keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect", "accept-encoding", "range", "if-range"}
)
# Characters of a request in an error's message: enough to recognize it.
LONGEST_GIST = 300


def as_texts(vendor: Vendor, request: Mapping[str, Any], place: str) -> dict[str, str]:
    """A task's request as texts, for a ``query`` or a ``form``, without members that are None."""
    given = {str(name): value for name, value in request.items() if value is not None}
    odd = next((name for name, value in given.items() if not isinstance(value, str | int | float)), None)
    if odd is not None:
        raise InvalidRequestError(
            f"{vendor.label}'s request goes into a {place}, which {odd[:60]!r} cannot: it is no text or number.",
            vendor=vendor.name,
        )
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def path_segment(value: str) -> str:
    """An id as one segment of a path, escaped: ``f"/batches/{path_segment(job_id)}"``.

    Raises:
        InvalidRequestError: it is empty, or ``.`` or ``..``, which mean another path (RFC 3986, section 5.2.4), or
            has a lone surrogate.
    """
    try:
        if value not in ("", ".", ".."):
            return quote(value, safe="")
    except UnicodeEncodeError:
        pass
    raise InvalidRequestError(f"{excerpt(repr(value), 60)} is no id.") from None


@dataclass(frozen=True)
class RateLimit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float

    @classmethod
    def of(cls, text: str) -> RateLimit:
        """The limit that a text like ``60/60`` says: requests, and seconds up to a day; ``ValueError`` for none."""
        requests, _, seconds = text.partition("/")
        limit = cls(int(requests), float(seconds))
        if limit.requests < 1 or not 0.001 <= limit.seconds <= 86_400:
            raise ValueError(text)
        return limit


@dataclass(frozen=True)
class Upload:
    """A file sent as one part of a ``multipart/form-data`` body, or as the whole body.

    Args:
        field: the part's name; empty for the whole body.
        source: the path or URL of the file; the client opens it.
        filename: the name sent to the vendor.
        content_type: its media type.
    """

    field: str
    source: str
    filename: str
    content_type: str


@dataclass(frozen=True)
class ApiRequest:
    """One HTTP request, before authentication.

    Args:
        operation: ``submit``, ``status``, ``list``, ``cancel``, ``download``, ``balance`` or ``check``: what an
            error is about.
        method: the HTTP method.
        path: what follows the connection's base URL; it begins with ``/``, so that it stays at that host.
        params: query parameters.
        json: the body, where it is JSON.
        upload: the body, where it is a file.
        job_id: the job concerned, for errors.
        repeatable: False where sending it twice could be billed twice.
        delay: seconds to wait before it is sent.
        form: fields beside the upload; without one they are the body, as ``application/x-www-form-urlencoded``.
        headers: further headers, such as ``Accept`` or ``Idempotency-Key``; none with credentials, which are
            :meth:`Vendor.auth`'s, and none that the client sets.
        content: the body as it is; its ``Content-Type`` is among the headers.
        accepts: HTTP statuses that are no errors or redirects here, but answers for the flow to read.
        url: an absolute URL instead of the path. On the connection's origin it is sent as a path would be. Elsewhere
            it is fetched bare, by GET, without credentials and headers, as a redirect's target would be.

    A request has one body. What would not be sent is refused.
    """

    operation: str
    method: str
    path: str = ""
    params: Mapping[str, str | int] | None = None
    json: Any = None
    upload: Upload | None = None
    job_id: str | None = None
    repeatable: bool = True
    delay: float = 0.0
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    accepts: Collection[int] = ()


@dataclass(frozen=True)
class Submission:
    """A submission: a request, a file, or both.

    Args:
        request: the vendor's request body or parameters.
        file: path or URL of the file to upload.
        key: a short token of this submission; it goes into the upload's file name, so that the job can be found
            again if the vendor's answer is lost.
        submitted_at: time at which this submission started, in UTC.
        known_job_ids: ids of jobs that it cannot have made, since they are known to be of submissions before it.
    """

    request: Mapping[str, Any]
    file: str | None
    key: str
    submitted_at: datetime
    known_job_ids: Collection[str] = ()

    def upload_name(self) -> str:
        """The file's own name with the key before its suffix: ``contacts-5f0c2a91.csv``."""
        path = PurePosixPath((self.file or "").replace("\\", "/"))
        return f"{path.stem}-{self.key}{path.suffix}"

    def time(self) -> str:
        """``submitted_at`` for people."""
        return f"{self.submitted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    def describe(self) -> str:
        """The request, to recognise it by: lists by their length, since they hold people's addresses."""
        brief = {
            name: f"({len(value)} items)" if isinstance(value, list | tuple | dict) else value
            for name, value in self.request.items()
        }
        try:
            text = redact(json.dumps(brief, default=words_of))
        except (TypeError, ValueError, RecursionError):  # names that are no text, or a value that holds itself
            text = f"({len(brief)} members)"
        return text if len(text) <= LONGEST_GIST else f"{text[:LONGEST_GIST]}…"
