"""Errors in answers by a document's rules, and how long their headers ask to wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl._redaction.redactor import remember_recent
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl._values.storable import texts
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor
from airflow_provider_batchdl.vendors.declared.document import Document, ErrorKind, ErrorRule, HeaderForm
from airflow_provider_batchdl.vendors.errors import json_of, legible, vendor_words
from airflow_provider_batchdl.vendors.pointers import find, several
from airflow_provider_batchdl.vendors.reading import as_text
from airflow_provider_batchdl.vendors.refusals import folded, kind_by_words
from airflow_provider_batchdl.vendors.retry_after import LONGEST_ASKED, duration, longest, retry_after

if TYPE_CHECKING:
    import httpx

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


class DescribedErrors(Vendor):
    """A vendor's errors, by its document."""

    document: ClassVar[Document]

    def is_own_error(self, response: httpx.Response) -> bool:
        """An error with a message or a code where the document says; if it does not say, any JSON."""
        errors, body = self.document.errors, json_of(response)
        places = several(errors.own) or (*several(errors.message), *several(errors.code))
        return any(find(body, each) not in (None, [], {}) for each in places) if places else bool(body)

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[exc.BatchDlError] | None:
        """The kind that the document's first rule for such an answer names."""
        words = self._words(response)
        rules = (rule for rule in self.document.errors.rules if _holds(rule, request.operation, response, *words))
        return next((KINDS[rule.kind] for rule in rules), None)

    def own_kind(self, request: ApiRequest, response: httpx.Response) -> type[exc.BatchDlError] | None:
        """The kind by the document's rules, else by the words that all vendors use."""
        return self.error_kind(request, response) or kind_by_words(response)

    def error(self, request: ApiRequest, response: httpx.Response) -> exc.BatchDlError:
        """The typed error for a response of status 400 or above, with the words and code that the document names."""
        error = super().error(request, response)
        if self.is_own_error(response):
            message, code = self._words(response)
            error.vendor_message, error.vendor_code = message or code, code
        return error

    def refusal(self, request: ApiRequest, response: httpx.Response) -> exc.BatchDlError | None:
        """The typed error for any answer: by its status, or by what the document calls an error inside a success."""
        if self.document.secrets:
            self.hide_secrets(json_of(response))
        if response.status_code >= 400:
            return self.error(request, response)
        errors = self.document.errors
        body = json_of(response) if errors.within or errors.if_false else None
        is_false = any(find(body, each) is False for each in errors.if_false)
        if not is_false and not any(find(body, each) for each in errors.within):
            return None
        kind = self.error_kind(request, response) or self.kind_within(request.operation, request.job_id, body)
        if kind is None:
            may_refuse = request.operation in ("submit", "cancel")
            kind = exc.InvalidRequestError if may_refuse else exc.UnexpectedResponseError
        message, code = self._words(response)
        facts: dict[str, Any] = {"vendor_message": message or code, "vendor_code": code}
        if issubclass(kind, exc.RateLimitedError):
            facts["retry_after"] = self.retry_after(response.headers)
        if issubclass(kind, exc.VendorUnavailableError):
            facts["maybe_processed"] = False  # the vendor says that it did not
        said = f"{self.label} answered the {request.operation} request with an error."
        return kind(said, vendor=self.name, job_id=request.job_id, status=response.status_code, **facts)

    def _words(self, response: httpx.Response) -> tuple[str | None, str | None]:
        """The vendor's message and code in an answer: by the document's pointers, else in one of the usual shapes."""
        errors, body = self.document.errors, json_of(response)
        message, code = find(body, errors.message), find(body, errors.code)
        usual = vendor_words(response)
        return (legible(message) if isinstance(message, str) else None) or usual[0], legible(as_text(code)) or usual[1]

    def hide_secrets(self, body: Any) -> None:
        """Hide the document's secrets in an answer: each may have others, so the latest are remembered."""
        for pointer in self.document.secrets:
            for text in texts(find(body, pointer)):
                remember_recent(text)

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Seconds that headers ask to wait: ``Retry-After`` and its relatives, then the document's own."""
        usual = retry_after(headers)
        if usual is not None and "retry-after" in headers:
            return usual
        now = (times.http_date(headers.get("date")) or times.now()).timestamp()
        found: list[float] = []
        for name, form in self.document.reset_headers.items():
            with suppress(ValueError):
                found.append(longest(partial(_READERS[form], now), headers.get(name, "")))
        return max((each for each in found if 0 <= each <= LONGEST_ASKED), default=usual)


def _holds(rule: ErrorRule, operation: str, response: httpx.Response, message: str | None, code: str | None) -> bool:
    """True if an answer meets all conditions of a rule."""
    said = folded(message, code)
    return (
        (not rule.status or response.status_code in rule.status)
        and (not rule.operations or operation in rule.operations)
        and (not rule.codes or folded(code) in map(folded, rule.codes))
        and (not rule.words or any(folded(each) in said for each in rule.words))
        and (rule.has is None or find(json_of(response), rule.has) is not None)
    )


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    return float(text)


def _date(text: str) -> float:
    when = times.http_date(text) or times.moment_of(text, "UTC")
    if when is None:
        raise ValueError("no date")
    return when.timestamp()


_READERS: Mapping[HeaderForm, Callable[[float, str], float]] = {
    "seconds": lambda now, text: _number(text),
    "milliseconds": lambda now, text: _number(text) / 1000,
    "duration": lambda now, text: duration(text),
    "unix": lambda now, text: max(0.0, _number(text) - now),
    "date": lambda now, text: max(0.0, _date(text) - now),
}
