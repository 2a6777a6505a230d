"""What goes to a vendor: a submission, and the HTTP requests that a flow makes of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Protocol

from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.storable import words_of

# Enough of a request to tell it from others, in an error's message.
LONGEST_GIST = 300


@dataclass(frozen=True)
class RateLimit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Upload:
    """A file sent as one part of a ``multipart/form-data`` body.

    Args:
        field: the part's name.
        source: the path or URL of the file; the client opens it.
        filename: the name told to the vendor.
        content_type: the part's media type.
    """

    field: str
    source: str
    filename: str
    content_type: str


class SubmitJournal(Protocol):
    """Is told when a request that may not be repeated goes out. Called on the thread that sends, and may block."""

    def sending(self) -> None:
        """The request's first byte goes next; with a ``BatchDlError`` raised here, none goes."""

    def turned_away(self) -> None:
        """It was surely not accepted, and is sent again after a pause."""


@dataclass(frozen=True)
class ApiRequest:
    """One HTTP request, before authentication.

    Args:
        operation: ``submit``, ``status``, ``list``, ``cancel``, ``download``, ``balance`` or ``check``: what an
            error is about.
        method: the HTTP method.
        path: what follows the connection's base URL.
        params: query parameters.
        json: the body, where it is JSON.
        upload: the body, where it is a file.
        job_id: the job concerned, for errors.
        repeatable: False where sending it twice could be billed twice.
        delay: seconds to wait before it is sent.
        journal: is told when it goes out.
    """

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    json: Any = None
    upload: Upload | None = None
    job_id: str | None = None
    repeatable: bool = True
    delay: float = 0.0
    journal: SubmitJournal | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Submission:
    """What is to be submitted.

    Args:
        request: the vendor's request body or parameters.
        file: path or URL of the file to upload.
        key: a short token of this submission; it goes into the upload's file name, so that the job can be found
            again if the vendor's answer is lost.
        submitted_at: when this submission began, in UTC.
        earlier: ids of jobs that it cannot have made, since they are known to be of submissions before it.
    """

    request: Mapping[str, Any]
    file: str | None
    key: str
    submitted_at: datetime
    earlier: Collection[str] = ()

    def upload_name(self) -> str:
        """The file's own name with the key before its suffix: ``contacts-5f0c2a91.csv``."""
        path = PurePosixPath((self.file or "").replace("\\", "/"))
        return f"{path.stem}-{self.key}{path.suffix}"

    def time(self) -> str:
        """When it began, as people read it."""
        return f"{self.submitted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    def gist(self) -> str:
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
