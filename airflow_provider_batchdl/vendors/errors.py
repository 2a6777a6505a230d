"""From an error response to a typed error, whatever shape its body has.

The shapes met so far: FastAPI's ``detail`` as a string, an object or a list of validation errors; ``message``;
``error`` with ``message`` or ``error_description`` (RFC 6749, section 5.2); ``errors``; ``error_code`` with
``error_message``; plain text; an HTML page; nothing at all.
"""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl import exceptions as exc

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

LONGEST_MESSAGE = 500

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
    if issubclass(kind, exc.RateLimitedError | exc.VendorUnavailableError):
        facts["retry_after"] = retry_after(response.headers)
    if kind is exc.JobNotFoundError and job_id is None:
        facts["remedy"] = "Check the connection's host and api_version: the vendor has nothing at this address."
    return kind(f"The {operation} request was refused: {_phrase(status)}.", **facts)


def _kind(status: int, operation: str) -> type[exc.BatchDlError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return exc.VendorUnavailableError
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and operation in ("submit", "list", "balance", "check"):
        return exc.InvalidRequestError  # no job is in question: the address itself is wrong
    return _BY_STATUS.get(status, exc.UnexpectedResponseError)


def vendor_words(response: httpx.Response) -> tuple[str | None, str | None]:
    """The vendor's message and its error code, each None where the body has none."""
    text = response.text.strip()
    if not text:
        return None, None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return _from_text(text), None
    message, code = _from_json(body)
    return _shorten(message), code


def _from_json(body: Any) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        return body, body
    if isinstance(body, list):
        return "; ".join(filter(None, (_from_json(item)[0] for item in body))) or None, None
    if not isinstance(body, dict):
        return None, None
    if "msg" in body:  # one of FastAPI's validation errors
        where = ".".join(str(step) for step in body.get("loc") or ())
        return f"{where}: {body['msg']}" if where else str(body["msg"]), _text(body.get("type"))
    code = _text(body.get("error_code")) or _text(body.get("code")) or _text(body.get("error"))
    for member in ("error_message", "message", "error_description", "detail", "errors", "error"):
        if body.get(member):
            message, inner = _from_json(body[member])
            if message:
                headline = _text(body.get("error")) if member == "message" else None
                return f"{headline}: {message}" if headline else message, code or inner
    return code, code


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _from_text(text: str) -> str | None:
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^>]*>(.*?)</title>|<Message>(.*?)</Message>", text, re.IGNORECASE | re.DOTALL)
        words = next((group for group in title.groups() if group), "") if title else re.sub(r"<[^>]*>", " ", text)
        text = html.unescape(words)
    return _shorten(" ".join(text.split()) or None)


def _shorten(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the server asks to wait.

    Reads ``Retry-After`` in both forms, seconds and date (RFC 9110, section 10.2.3), then
    ``X-RateLimit-Reset-After`` (seconds) and ``X-RateLimit-Reset`` (Unix time), as ApartmentIQ and Revenuebase
    document them. None where there is none of these, or only nonsense.
    """
    now = now or datetime.now(UTC)
    readers = (
        (_seconds, headers.get("retry-after")),
        (lambda text: _until(text, now), headers.get("retry-after")),
        (_seconds, headers.get("x-ratelimit-reset-after")),
        (lambda text: _since_epoch(text, now), headers.get("x-ratelimit-reset")),
    )
    for read, text in readers:
        if text is not None:
            try:
                return max(0.0, read(text.strip()))
            except (ValueError, TypeError, OverflowError):
                continue
    return None


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,12}(\.\d+)?", text):
        raise ValueError(text)
    return float(text)


def _until(text: str, now: datetime) -> float:
    when = parsedate_to_datetime(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def _since_epoch(text: str, now: datetime) -> float:
    return _seconds(text) - now.timestamp()
