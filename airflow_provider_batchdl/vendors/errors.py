"""From an error response to a typed error, whatever shape its body has.

The shapes met so far: FastAPI's ``detail`` as a string, an object or a list of validation errors; ``message``;
``error`` with ``message`` or ``error_description`` (RFC 6749, section 5.2); ``errors``; ``error_code`` with
``error_message``; plain text; an HTML page; nothing at all.
"""

from __future__ import annotations

import html
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl.vendors.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

LONGEST_MESSAGE = 500
# An error's words stand at its beginning; a body beyond this is not parsed, and only its beginning is looked at.
LARGEST_BODY = 1 << 20
LONGEST_TEXT = 1 << 16
DEEPEST = 8
MOST_ITEMS = 20

_BY_STATUS: dict[int, type[exc.BatchDlError]] = {
    HTTPStatus.BAD_REQUEST: exc.InvalidRequestError,
    HTTPStatus.UNAUTHORIZED: exc.AuthenticationError,
    HTTPStatus.PAYMENT_REQUIRED: exc.InsufficientCreditsError,
    HTTPStatus.FORBIDDEN: exc.PermissionDeniedError,
    HTTPStatus.NOT_FOUND: exc.JobNotFoundError,
    HTTPStatus.METHOD_NOT_ALLOWED: exc.UnsupportedOperationError,
    HTTPStatus.REQUEST_TIMEOUT: exc.VendorUnavailableError,
    HTTPStatus.CONFLICT: exc.InvalidRequestError,
    HTTPStatus.GONE: exc.JobNotFoundError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: exc.InvalidRequestError,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: exc.InvalidRequestError,
    HTTPStatus.UNPROCESSABLE_ENTITY: exc.InvalidRequestError,
    HTTPStatus.TOO_EARLY: exc.VendorUnavailableError,
    HTTPStatus.TOO_MANY_REQUESTS: exc.RateLimitedError,
}

_ABOUT_NO_JOB = ("submit", "list", "balance", "check", "token")


def error_from_response(
    response: httpx.Response,
    *,
    vendor: str,
    operation: str,
    job_id: str | None = None,
    kind: type[exc.BatchDlError] | None = None,
) -> exc.BatchDlError:
    """The error that a response of status 400 or above means.

    Args:
        response: the response, its body read.
        vendor: the vendor's name.
        operation: what was asked, as in ``ApiRequest.operation``.
        job_id: the job concerned.
        kind: the error's type, where the vendor knows better than the status tells.
    """
    status = response.status_code
    message, code = vendor_words(response)
    kind = kind or _kind(status, operation)
    facts: dict[str, Any] = {"vendor": vendor, "job_id": job_id, "status": status, "vendor_message": message or code}
    if issubclass(kind, exc.VendorUnavailableError):
        # 503 is the one 5xx by which a server says that it did not take the request (RFC 9110, section 15.6.4).
        facts["maybe_processed"] = status != HTTPStatus.SERVICE_UNAVAILABLE
        # Revenuebase puts X-RateLimit-Reset on every answer: it says nothing about when a 5xx will be over.
        own = {name: response.headers[name] for name in ("retry-after", "date") if name in response.headers}
        facts["retry_after"] = retry_after(own)
    if issubclass(kind, exc.RateLimitedError):
        facts["retry_after"] = retry_after(response.headers)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and job_id is None:
        facts["remedy"] = "Check the connection's host and api_version: the vendor has nothing at this address."
    return kind(f"The {operation} request was refused: {_phrase(status)}.", **facts)


def _kind(status: int, operation: str) -> type[exc.BatchDlError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return exc.VendorUnavailableError
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and operation in _ABOUT_NO_JOB:
        return exc.InvalidRequestError  # the address itself is wrong
    return _BY_STATUS.get(status, exc.UnexpectedResponseError)


def vendor_words(response: httpx.Response) -> tuple[str | None, str | None]:
    """The vendor's message and its error code, each None where the body has none."""
    text = _decoded(response).strip()
    if not text:
        return None, None
    if len(response.content) > LARGEST_BODY:
        return _from_text(text), None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return _from_text(text), None
    message, code = _from_json(body)
    if message is None and body not in ({}, [], "", None):
        message = text  # a shape nobody told us of: the vendor's words are in it all the same
    return _legible(message), _legible(code)


def json_of(response: httpx.Response) -> Any:
    """The body of an error as JSON, None where it is none."""
    try:
        return json.loads(response.content) if len(response.content) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        return None


def _decoded(response: httpx.Response) -> str:
    """The body as text. ``Response.text`` trusts the header, which may name a codec that is not one for text."""
    beginning = response.content[:LARGEST_BODY]
    try:
        return beginning.decode(response.charset_encoding or "utf-8-sig", "replace")
    except (LookupError, UnicodeError):
        return beginning.decode("utf-8-sig", "replace")


def _from_json(body: Any, depth: int = 0) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        return body or None, body or None
    if isinstance(body, int | float) and not isinstance(body, bool):
        return str(body), None
    if not isinstance(body, dict | list) or depth > DEEPEST:
        return None, None
    if isinstance(body, list):
        return _joined(_from_json(item, depth + 1)[0] for item in body[:MOST_ITEMS]), None
    if isinstance(body.get("msg"), str):  # one of FastAPI's validation errors
        steps = body.get("loc")
        where = ".".join(str(step) for step in steps) if isinstance(steps, list) else ""
        return f"{where}: {body['msg']}" if where else body["msg"], _text(body.get("type"))
    return _from_object(body, depth)


def _from_object(body: dict[str, Any], depth: int) -> tuple[str | None, str | None]:
    code = _text(body.get("error_code")) or _text(body.get("code")) or _text(body.get("error"))
    for member in ("error_message", "message", "error_description", "detail", "errors", "error"):
        message, inner = _from_json(body.get(member), depth + 1)
        if message:
            if member == "message":
                details = _from_json(body.get("errors"), depth + 1)[0]
                message = _joined((message, details)) if details else message
                headline = _text(body.get("error"))
                message = f"{headline}: {message}" if headline else message
            return message, code or inner
    if code or not depth:
        return code, code
    # {"errors": {"property_ids": ["can't be blank"]}}: inside, any member's name is part of the message.
    items = [(name, _from_json(value, depth + 1)[0]) for name, value in list(body.items())[:MOST_ITEMS]]
    return _joined(f"{name}: {words}" for name, words in items if words), None


def _joined(words: Iterable[str | None]) -> str | None:
    return "; ".join(filter(None, words)) or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _from_text(text: str) -> str | None:
    text = text[:LONGEST_TEXT]
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^<>]*>([^<]*)</title>|<Message>([^<]*)</Message>", text, re.IGNORECASE)
        words = next((group for group in title.groups() if group), "") if title else re.sub(r"<[^<>]*>", " ", text)
        text = html.unescape(words)
    return _legible(text)


def _legible(text: str | None) -> str | None:
    """``text`` on one line, shortened and fit for any log; None where it is no text but some bytes."""
    if text is None:
        return None
    beginning = text[:LONGEST_TEXT]
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in beginning).split())
    strange = sum(not letter.isprintable() and not letter.isspace() for letter in beginning) + words.count("\ufffd")
    if not words or strange * 10 > len(beginning):
        return None
    return words if len(words) <= LONGEST_MESSAGE else words[: LONGEST_MESSAGE - 1] + "…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
