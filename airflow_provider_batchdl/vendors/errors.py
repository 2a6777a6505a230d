"""From an error response to a typed error, whatever shape its body has.

The shapes met so far: FastAPI's ``detail`` as a string, an object or a list of validation errors; ``message``;
``error`` with ``message`` or ``error_description`` (RFC 6749, section 5.2); ``errors``; ``error_code`` with
``error_message`` (``error_msg`` in Batch.com's older API); ``title`` and ``detail`` (RFC 9457); plain text; an HTML
page; nothing at all.
"""

from __future__ import annotations

import html
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl._redaction.redactor import LONGEST_TEXT, excerpt
from airflow_provider_batchdl.vendors.reading import parsed
from airflow_provider_batchdl.vendors.retry_after import asked_wait, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import httpx

LONGEST_MESSAGE = 500
# An error's message is at its start; a larger body is not parsed, and only its first bytes are read.
LARGEST_BODY = 1 << 20
DEEPEST = 8
# Characters of a page, whose title may stand behind its styles.
LONGEST_PAGE = 1 << 16
# What an answer's extensions remember its body by: of a list, each odd item asks for it.
_PARSED = "batchdl.json"
MOST_ITEMS = 20

_BY_STATUS: dict[int, type[exc.BatchDlError]] = {
    **dict.fromkeys((400, 409, 413, 415, 422), exc.InvalidRequestError),
    **dict.fromkeys((404, 410), exc.JobNotFoundError),
    **dict.fromkeys((408, 425), exc.VendorUnavailableError),
    401: exc.AuthenticationError,
    402: exc.InsufficientCreditsError,
    403: exc.PermissionDeniedError,
    405: exc.UnsupportedOperationError,
    429: exc.RateLimitedError,
}

# Members with an error's message, the most specific first.
_WORDS = ("error_message", "error_msg", "message", "error_description", "detail", "errors", "error", "title")
_ABOUT_NO_JOB = ("submit", "list", "balance", "check", "token")

_STRANGERS_REMEDY = (
    "A router, firewall or proxy may be in the way: check the connection's host, and that this worker may reach it. "
    "Then retry the task."
)

# Statuses that a router, a firewall or a proxy may send as well as the vendor, with the same meaning: too
# many requests, a request too large for the way there, one that took too long to arrive.
_WHOEVER_SAYS_SO = frozenset({408, 413, 414, 425, 429, 431})


def error_from_response(
    response: httpx.Response,
    *,
    vendor: str,
    operation: str,
    job_id: str | None = None,
    kind: type[exc.BatchDlError] | None = None,
    own: bool = True,
    wait: Callable[[Mapping[str, str]], float | None] = retry_after,
) -> exc.BatchDlError:
    """The error that a response of status 400 or above means, its body read; of ``kind``, where that says more.

    A refusal that is not the vendor's ``own``, see ``Vendor.is_own_error``, is another server's, in its place.
    """
    status = response.status_code
    message, code = vendor_words(response)
    stranger = not own and _is_strangers(status, response)
    kind = exc.VendorUnavailableError if stranger else kind or kind_of(status, operation)
    facts: dict[str, Any] = {"vendor": vendor, "job_id": job_id, "status": status, "vendor_message": message or code}
    facts["vendor_code"] = code
    if issubclass(kind, exc.VendorUnavailableError):
        facts["maybe_processed"] = _maybe_processed(status, own=own)
    if issubclass(kind, exc.VendorUnavailableError | exc.QuotaExceededError | exc.InsufficientCreditsError):
        # Revenuebase puts X-RateLimit-Reset on every answer: it does not mean that a 5xx will be over then.
        plain = {name: response.headers[name] for name in ("retry-after", "date") if name in response.headers}
        facts["retry_after"] = asked_wait(wait, plain)
    if issubclass(kind, exc.RateLimitedError):
        facts["retry_after"] = asked_wait(wait, response.headers)
    if stranger:
        facts["remedy"] = _STRANGERS_REMEDY
        said = f"Something else answered the {operation} request in the vendor's place: {phrase(status)}."
        return kind(said, **facts)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and job_id is None:
        facts["remedy"] = "Check the connection's host and api_version: the vendor has nothing at this address."
    return kind(f"The {operation} request was refused: {phrase(status)}.", **facts)


def store_error(response: httpx.Response, **facts: Any) -> exc.BatchDlError:
    """The error for a status of 400 or above from a store that a link leads to: 403 for an expired one, 404 or 410."""
    status = response.status_code
    kind: type[exc.BatchDlError] = exc.UnexpectedResponseError
    if status in (401, 403, 404, 410):
        kind = exc.ResultExpiredError
    elif status in (408, 429) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = exc.VendorUnavailableError
    return error_from_response(response, operation="store", kind=kind, **facts)


def _is_strangers(status: int, response: httpx.Response) -> bool:
    """True if a refusal not in the vendor's shape counts as another server's.

    A 401 need not have a body (RFC 9110, section 15.5.2), so it counts as the vendor's unless it brings a page.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return _decoded(response).lstrip().startswith("<")
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _WHOEVER_SAYS_SO


def _maybe_processed(status: int, *, own: bool) -> bool:
    """True if the vendor may have acted on a request with this response.

    503 is the one 5xx that means that it did not (RFC 9110, section 15.6.4), but routers send it, too, when
    the vendor's answer does not reach them in time. A refusal (4xx) means that it did not, whoever refused; only a
    time-out (408) leaves it open.
    """
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return not own
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT


def kind_of(status: int, operation: str) -> type[exc.BatchDlError]:
    """The type of error that an HTTP status means, in answer to ``operation``."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return exc.VendorUnavailableError
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) and operation in _ABOUT_NO_JOB:
        return exc.InvalidRequestError  # the address itself is wrong
    return _BY_STATUS.get(status, exc.UnexpectedResponseError)


def vendor_words(response: httpx.Response) -> tuple[str | None, str | None]:
    """The vendor's message and its error code, each None where the body has none."""
    body, text = json_of(response), _decoded(response).strip()
    if body is None:
        return (None if text in ("", "null") else _from_text(text)), None
    message, code = _from_json(body)
    if message is None and body not in ({}, [], ""):
        message = text  # an undocumented shape: the vendor's message is in it somewhere
    return legible(message), legible(code)


def words_in(body: Any) -> tuple[str | None, str | None]:
    """The message and the error code in parsed JSON, each None where there is none that differs from data."""
    message, code = _from_json(body)
    return legible(message), legible(code)


def json_of(response: httpx.Response) -> Any:
    """The body of an error as JSON, None where it is none."""
    if _PARSED not in response.extensions:
        body = None
        with suppress(ValueError):
            body = parsed(response.content) if len(response.content) <= LARGEST_BODY else None
        response.extensions[_PARSED] = body
    return response.extensions[_PARSED]


def _decoded(response: httpx.Response) -> str:
    """The body as text. ``Response.text`` trusts the header, which may name a codec that is not one for text."""
    beginning = response.content[:LARGEST_BODY]
    try:
        return beginning.decode(response.charset_encoding or "utf-8-sig", "replace")
    except Exception:  # noqa: BLE001 the parser of parameters raises more than it documents
        return beginning.decode("utf-8-sig", "replace")


def _from_json(body: Any, depth: int = 0) -> tuple[str | None, str | None]:
    if isinstance(body, str):
        return body or None, _code(body)
    if isinstance(body, int | float) and not isinstance(body, bool):
        return str(body), None
    if not isinstance(body, dict | list) or depth > DEEPEST:
        return None, None
    if isinstance(body, list):
        found = [_from_json(item, depth + 1) for item in body[:MOST_ITEMS]]
        return _joined(words for words, _ in found), next((code for _, code in found if code), None)
    if isinstance(body.get("msg"), str):  # one of FastAPI's validation errors
        steps = body.get("loc")
        where = ".".join(str(step) for step in steps) if isinstance(steps, list) else ""
        return f"{where}: {body['msg']}" if where else body["msg"], _text(body.get("type"))
    return _from_object(body, depth)


def _from_object(body: dict[str, Any], depth: int) -> tuple[str | None, str | None]:
    code = next(filter(None, (_code(body.get(name)) for name in ("error_code", "code", "error"))), None)
    if "title" in body:  # RFC 9457: the type is a URI that names the problem, and about:blank names none
        kind = _code(body.get("type"))
        code = code or (kind if kind != "about:blank" else _text(body["title"]))
    for member in _WORDS:
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


def _code(value: Any) -> str | None:
    """``value`` where it can be an error's code: a number, or a text of one word."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value and not re.search(r"\s", value) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _from_text(text: str) -> str | None:
    text = text[:LONGEST_PAGE]
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^<>]*>([^<]*)</title>|<Message>([^<]*)</Message>", text, re.IGNORECASE)
        without_tags = re.sub(r"(?:<[^<>]*>|\s)+", " ", text)
        words = next((group for group in title.groups() if group), "") if title else without_tags
        text = html.unescape(words)
    return legible(text)


def legible(text: str | None) -> str | None:
    """``text`` on one line, shortened and fit for any log; None where it is no text but some bytes."""
    if text is None:
        return None
    beginning = text[:LONGEST_TEXT]
    strange = sum(letter == "\ufffd" or not (letter.isprintable() or letter.isspace()) for letter in beginning)
    return None if strange * 10 > len(beginning) else excerpt(text, LONGEST_MESSAGE) or None


def phrase(status: int) -> str:
    """The standard words for an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
