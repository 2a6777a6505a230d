"""What a vendor's words say beyond the HTTP status: a refusal that costs money to lift, and an error inside a 200."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl.vendors.errors import json_of, kind_of, phrase, vendor_words

if TYPE_CHECKING:
    import httpx

# Wordings of Revenuebase's 402, of Proofy's 400 (reported), and what others would plausibly say.
_NO_CREDITS = (
    "not enough credit",
    "insufficient credit",
    "out of credit",
    "no credit",
    "insufficient balance",
    "insufficient fund",
)
_REFUSED = frozenset({400, 402, 403, 409, 422, 429})
_STATUSES = {phrase(status).lower(): int(status) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}


def folded(*words: str | None) -> str:
    """``words`` to compare with, whether they are codes or sentences: small letters, blanks for ``_`` and ``-``."""
    return " ".join(filter(None, words)).lower().replace("_", " ").replace("-", " ").replace("`", "")


def kind_by_words(response: httpx.Response) -> type[exc.BatchDlError] | None:
    """The type of a refusal that its body tells and its status does not: credits or a quota used up; else None."""
    if response.status_code not in _REFUSED:
        return None
    words = folded(*vendor_words(response))
    if any(wording in words for wording in _NO_CREDITS):
        return exc.InsufficientCreditsError
    # ApartmentIQ documents 403 for "permission, feature access or remaining quota".
    used_up = response.status_code == HTTPStatus.FORBIDDEN and ("quota" in words or has_quota(response))
    return exc.QuotaExceededError if used_up or "insufficient quota" in words else None


def has_quota(response: httpx.Response) -> bool:
    """Whether the body tells a quota, as ApartmentIQ's does that is used up."""
    body = json_of(response)
    return isinstance(body, dict) and "quota_limit" in body


def kind_in_success(body: object, operation: str, words: str) -> type[exc.BatchDlError] | None:
    """The type of error that the body of a *successful* answer tells of, None where it tells of none.

    Proofy's older API answers errors as 200 ``{"error": true, "message": ...}``. Where neither a status nor words that
    we know say which error it is, a submit counts as refused and anything else as an answer that makes no sense.

    Args:
        body: the parsed body, or its top-level members.
        operation: what was asked.
        words: the body's words.
    """
    if not isinstance(body, Mapping):
        return None
    words = folded(words)
    if any(wording in words for wording in _NO_CREDITS):
        return exc.InsufficientCreditsError
    status = _STATUSES.get(words.strip(" ."))
    if status is None and not is_error(body):
        return None
    status = status or next(filter(None, (_status(body.get(name)) for name in ("status", "code", "error_code"))), None)
    if status is not None:
        return kind_of(status, operation)
    return exc.InvalidRequestError if operation == "submit" else exc.UnexpectedResponseError


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether a JSON object says of itself that it is an error."""
    named = (body.get(name) for name in ("error", "errors", "error_code"))
    return any(named) or any(body.get(name) is False for name in ("success", "ok"))


def _status(value: object) -> int | None:
    """``value`` where it is the HTTP status of an error."""
    return value if isinstance(value, int) and 400 <= value < 600 else None
