"""Errors by a vendor's words, beyond the HTTP status: used-up credits or quotas, and an error inside a 200."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl.vendors.errors import json_of, phrase, vendor_words

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
# fmt: off
# Names of members, squeezed: small letters, no "_", "-" or ".".
_OF_ERRORS = frozenset({
    "error", "errors", "errorcode", "errormessage", "errormsg", "errordescription", "message", "msg", "code",
    "messages", "errno", "httpmessage", "moreinformation",
    "errortype", "fault", "odataerror", "exception", "trace", "stacktrace", "file", "line", "type",
    "status", "statuscode", "title", "detail", "details", "instance", "success", "ok", "data", "result",
    "quotalimit", "quotausage", "requestid", "timestamp", "path",
    # What frameworks and gateways put beside them.
    "errorid", "errorlink", "errorcauses", "errorsummary", "errorsubcode", "erroruri", "erroruser", "errorname",
    "statustext", "statusmessage", "httpstatus", "httpcode", "httpstatuscode", "responsecode", "reason", "reasons",
    "hint", "description", "severity", "innererror", "correlationid", "traceid", "spanid", "supportid",
    "incidentid", "eventid", "refid", "referenceid", "rayid", "documentationurl", "docurl", "docs", "help", "helpurl",
    "moreinfo", "retryafter", "jsonrpc", "apiversion", "fbtraceid", "param", "developermessage",
    "usermessage", "debug", "cause", "err", "failure", "resource",
})
_WORDS = ("detail", "message", "msg", "error_message", "errormessage", "error_msg")
_FLAGS = (
    "error", "errors", "error_code", "errorcode", "fault", "odata.error", "errormessage", "err", "failure", "exception",
)
_NUMBERS = ("status", "code", "error_code", "errorcode", "statuscode", "status_code", "httpcode")
_OF_JOBS = frozenset({
    "id", "jobid", "processid", "filename", "currentstatus", "progress", "list", "files", "scope", "request", "state",
    "createdat", "updatedat", "lastupdated", "requestdate", "requestedat", "startdate", "enddate",
    "completiondate", "reporttype", "outputformat", "propertyids", "callbackurl",
})
# fmt: on
# Words for a result that does not exist yet, where the vendor documents none.
_NOT_YET = ("not ready", "not complete", "not finished", "in progress", "processing", "pending", "queued")
_ERROR_WORDS = ("error", "fail", "failure")
_REFUSED = frozenset({400, 402, 403, 409, 422, 429})
_STATUSES = {phrase(status).lower(): int(status) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}


def folded(*words: str | None) -> str:
    """``words`` to compare with, whether they are codes or sentences: small letters, blanks for ``_`` and ``-``."""
    return " ".join(filter(None, words)).lower().replace("_", " ").replace("-", " ").replace("`", "")


def says_not_yet(*words: str | None) -> bool:
    """True if the words say that a result does not exist yet."""
    return any(each in folded(*words) for each in _NOT_YET)


def kind_by_words(response: httpx.Response) -> type[exc.BatchDlError] | None:
    """The type of a refusal by its body, where its status is less specific: credits or a quota used up; else None."""
    if response.status_code not in _REFUSED:
        return None
    words = folded(*vendor_words(response))
    if any(wording in words for wording in _NO_CREDITS):
        return exc.InsufficientCreditsError
    # ApartmentIQ documents 403 for "permission, feature access or remaining quota".
    used_up = response.status_code == HTTPStatus.FORBIDDEN and ("quota" in words or has_quota(response))
    return exc.QuotaExceededError if used_up or "insufficient quota" in words else None


def has_quota(response: httpx.Response) -> bool:
    """True if the body names a quota, as ApartmentIQ's does when it is used up."""
    body = json_of(response)
    return isinstance(body, dict) and "quota_limit" in body


def status_within(body: object) -> int | None:
    """The HTTP status that the error in the body of a successful answer should have had.

    The status it names, in a number or by its standard words ("Unauthorized"); 400 where it names none; None where it
    is no error at all.
    """
    if not isinstance(body, Mapping):
        return None
    body = lowered(body)
    said = (body.get(name) for name in ("message", "detail", "error", "error_message"))
    by_words = next(
        filter(None, (_STATUSES.get(folded(each).strip(" .")) for each in said if isinstance(each, str))), None
    )
    if by_words is not None or not _is_error(body):
        return by_words
    numbers = (_status(body.get(name)) for name in _NUMBERS)
    return next(filter(None, numbers), int(HTTPStatus.BAD_REQUEST))


def is_bare_error(body: Mapping[str, Any]) -> bool:
    """True if a JSON object has only members that errors have, one of text among them, and no rows: no data has."""
    body = lowered(body)
    named = any(name in body for name in (*_WORDS, *_FLAGS, "title", "success", "ok")) or _says_failed(body)
    return (_has_only(body, _OF_ERRORS) and (named or _has_number(body)) and not _has_rows(body)) or _is_problem(body)


def enclosed_error(body: Mapping[str, Any]) -> dict[str, Any]:
    """The error in an object that holds nothing else, as ``{"meta": {"code": 500, ...}}`` does; empty for none."""
    members = [value for value in body.values() if value is not None]
    inner = members[0] if len(members) == 1 and isinstance(members[0], dict) else {}
    return inner if is_bare_error(inner) and _is_error(lowered(inner)) else {}


def only_tells(body: Mapping[str, Any]) -> bool:
    """True if a JSON object holds nothing but a message, and not one of success."""
    body = lowered(body)
    words = any(isinstance(body.get(name), str | list | dict) and body[name] for name in _WORDS)
    rows = any(isinstance(body.get(name), list) and body[name] for name in ("data", "result"))
    return words and not rows and not any(body.get(name) is True for name in ("success", "ok"))


def _has_rows(body: Mapping[str, Any]) -> bool:
    """True if an object has rows of data, and only says of some records that they failed."""
    says_no = _says_failed(body) or any(body.get(name) is False for name in ("success", "ok"))
    lists = (body[name] for name in ("data", "result") if isinstance(body.get(name), list))
    return not says_no and any(each and not isinstance(each[0], str | int | float) for each in lists)


def is_bare_job(body: Mapping[str, Any]) -> bool:
    """True if a JSON object has only members that a job's status has."""
    return _has_only(body, _OF_ERRORS | _OF_JOBS)


def _has_only(body: Mapping[str, Any], names: frozenset[str]) -> bool:
    """True if all members that are not null have one of the squeezed ``names``; an error of JavaScript has two more."""
    if isinstance(body.get("stack"), str):
        names = names | {"name", "stack"}
    return all(value is None or re.sub("[^a-z]", "", name.lower()) in names for name, value in body.items())


def _has_number(body: Mapping[str, Any]) -> bool:
    """True if an object says the HTTP status of an error."""
    return any(_status(body.get(name)) for name in _NUMBERS)


def lowered(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its members' names in small letters: gateways write ``Message``."""
    return {name.lower(): value for name, value in body.items()}


def _is_error(body: Mapping[str, Any]) -> bool:
    named = any(body.get(name) for name in _FLAGS) or any(body.get(name) is False for name in ("success", "ok"))
    return named or _says_failed(body) or _is_problem(body) or _has_number(body)


def _says_failed(body: Mapping[str, Any]) -> bool:
    # A job in such a state has an id, and was read as one.
    return any(folded(str(body.get(name))).strip() in _ERROR_WORDS for name in ("status", "result"))


def _is_problem(body: Mapping[str, Any]) -> bool:
    """True for a problem of RFC 9457, which may have members of its own."""
    return isinstance(body.get("title"), str) and _status(body.get("status")) is not None


def _status(value: object) -> int | None:
    """``value`` where it is the HTTP status of an error, as a number or as its digits."""
    number = int(value) if isinstance(value, str) and re.fullmatch("[45][0-9]{2}", value) else value
    return number if isinstance(number, int) and 400 <= number < 600 else None
