"""Errors in answers by a document's rules, and how long their headers ask to wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.vendors.declared.document import Document, ErrorKind, ErrorRule, HeaderForm
from airflow_provider_batchdl.vendors.errors import json_of, legible, vendor_words
from airflow_provider_batchdl.vendors.pointers import find, several
from airflow_provider_batchdl.vendors.reading import as_text
from airflow_provider_batchdl.vendors.refusals import folded
from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED, duration, retry_after

KINDS: Mapping[ErrorKind, type[exc.BatchDlError]] = {
    "authentication": exc.AuthenticationError,
    "permission_denied": exc.PermissionDeniedError,
    "job_not_found": exc.JobNotFoundError,
    "job_failed": exc.JobFailedError,
    "job_cancelled": exc.JobCancelledError,
    "not_ready": exc.ResultNotReadyError,
    "no_credits": exc.InsufficientCreditsError,
    "quota_exceeded": exc.QuotaExceededError,
    "rate_limited": exc.RateLimitedError,
    "invalid_request": exc.InvalidRequestError,
    "unsupported": exc.UnsupportedOperationError,
    "unavailable": exc.VendorUnavailableError,
    "unexpected": exc.UnexpectedResponseError,
}
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def words_by_pointers(document: Document, response: httpx.Response) -> tuple[str | None, str | None]:
    """The vendor's message and code in an answer: by the document's pointers, else in one of the usual shapes."""
    body = json_of(response)
    message, code = (find(body, each) for each in (document.errors.message, document.errors.code))
    usual = vendor_words(response)
    return (legible(message) if isinstance(message, str) else None) or usual[0], legible(as_text(code)) or usual[1]


def has_own_shape(document: Document, response: httpx.Response) -> bool | None:
    """True if an error has a message or a code where the document says; None if it does not say where."""
    errors = document.errors
    places = (errors.own,) if errors.own else (errors.message, errors.code)
    if not any(places):
        return None
    body = json_of(response)
    return any(find(body, each) not in (None, "", [], {}) for place in places for each in several(place))


def rule_for(document: Document, operation: str, response: httpx.Response) -> ErrorRule | None:
    """The first of the document's rules that an answer meets."""
    if not document.errors.rules:
        return None
    body = json_of(response)
    message, code = words_by_pointers(document, response)
    said = folded(message, code)
    for rule in document.errors.rules:
        if rule.status and response.status_code not in rule.status:
            continue
        if rule.operations and operation not in rule.operations:
            continue
        if rule.codes and folded(code) not in map(folded, rule.codes):
            continue
        if rule.words and not any(folded(each) in said for each in rule.words):
            continue
        if rule.has is not None and find(body, rule.has) is None:
            continue
        return rule
    return None


def is_error_within(document: Document, response: httpx.Response) -> bool:
    """True if a successful answer is an error by its body."""
    errors = document.errors
    if not errors.within and not errors.if_false:
        return False
    body = json_of(response)
    return any(find(body, each) for each in errors.within) or any(find(body, each) is False for each in errors.if_false)


def seconds_asked(document: Document, headers: Mapping[str, str]) -> float | None:
    """Seconds that headers ask to wait: ``Retry-After`` and its relatives, then the document's own."""
    usual = retry_after(headers)
    if usual is not None and "retry-after" in headers:
        return usual
    now = (times.http_date(headers.get("date")) or times.now()).timestamp()
    found: list[float] = []
    for name, form in document.reset_headers.items():
        with suppress(ValueError):
            found.append(_READERS[form](headers.get(name, "").strip(), now))
    return max((each for each in found if 0 <= each <= LONGEST_ASKED), default=usual)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    return float(text)


def _date(text: str) -> float:
    when = times.http_date(text) or times.moment_of(text, "UTC")
    if when is None:
        raise ValueError("no date")
    return when.timestamp()


_READERS: Mapping[HeaderForm, Callable[[str, float], float]] = {
    "seconds": lambda text, now: _number(text),
    "milliseconds": lambda text, now: _number(text) / 1000,
    "duration": lambda text, now: duration(text),
    "unix": lambda text, now: max(0.0, _number(text) - now),
    "date": lambda text, now: max(0.0, _date(text) - now),
}


def facts_of(document: Document, response: httpx.Response) -> dict[str, Any]:
    """The vendor's words in an answer, as an error takes them."""
    message, code = words_by_pointers(document, response)
    return {"vendor_message": message or code, "vendor_code": code, "status": response.status_code}
