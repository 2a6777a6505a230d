"""Checks of a vendor's class before anybody uses it; each mistake is said in words that name class and member."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from pendulum import timezone

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors import problem_of_name
from airflow_provider_batchdl.vendors.base import FileRules, Listing, RateLimit, RequestRules, Vendor
from airflow_provider_batchdl.vendors.states import fold, problem_of_words

_SHOWN = 60
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_REQUIRED = ("name", "label", "default_host", "docs_url", "states", "poll_interval", "rate_limits")
_FLAGS = ("has_plain_secret", "keeps_partial_results")
_TABLES: Mapping[str, type] = {"request_rules": RequestRules, "file_rules": FileRules, "listing": Listing}
_FLOWS = ("submit", "get_job", "list_jobs", "list_page", "cancel_job", "get_balance", "check", "candidates", "locate")
_HAS_DEFAULT = ("result_request", "locate")


def problem_of_class(kind: object) -> str | None:
    """One sentence that names a class and what it lacks; None for a whole vendor."""
    problems = list(problems_of(kind))
    return f"{named(kind)} cannot be a vendor: {'; '.join(problems)}." if problems else None


def named(kind: object) -> str:
    """The class's name with its module."""
    if isinstance(kind, type):
        return f"{kind.__module__}.{kind.__qualname__}"
    return excerpt(repr(kind), _SHOWN)


def problems_of(kind: object) -> Iterator[str]:
    """Members that a class lacks, or that are of no use, each in words."""
    if not isinstance(kind, type) or not issubclass(kind, Vendor):
        yield "it is no subclass of Vendor"
        return
    lacking = [name for name in _REQUIRED if not hasattr(kind, name)]
    yield from (f"{name} is missing" for name in lacking)
    yield from _methods(kind)
    checks = {
        "name": problem_of_name, "label": _label, "default_host": _host, "docs_url": _url, "states": _states,
        "key_label": _label, "poll_interval": _seconds, "rate_limits": _rates, "extra_members": _members, "zone": _zone,
    }  # fmt: skip
    for name, check in checks.items():
        problem = check(getattr(kind, name)) if name not in lacking else None
        if problem:
            yield f"{name} {problem}"
    if kind.login_label is not None and (problem := _label(kind.login_label)):
        yield f"login_label {problem}, or None"
    for name in _FLAGS:
        if not isinstance(getattr(kind, name), bool):
            yield f"{name} is {_shown(getattr(kind, name))}, and must be True or False"
    for name, table in _TABLES.items():
        value = getattr(kind, name)
        if value is not None and not isinstance(value, table):
            yield f"{name} is {_shown(value)}, and must be {table.__name__}(...) or None"


def _methods(kind: type[Vendor]) -> Iterator[str]:
    left = sorted(getattr(kind, "__abstractmethods__", ()))
    yield from (f"{name} is not implemented" for name in left)
    own = [name for name in _HAS_DEFAULT if getattr(kind, name, None) is not getattr(Vendor, name, None)]
    if not own and not set(left) & set(_HAS_DEFAULT):
        yield "it has neither result_request nor locate"
    for name in (*_FLOWS, "auth", "result_request", "result_files"):
        method = inspect.getattr_static(kind, name, None)
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            yield f"{name} is async, and a vendor does no input or output: a flow yields its requests"
        elif method is not None and not callable(getattr(kind, name)):
            yield f"{name} is {_shown(getattr(kind, name))}, and must be a method"
    if isinstance(kind.listing, Listing) and kind.list_page is Vendor.list_page:
        yield "list_page is not implemented, while listing says that there is a list"


def _label(value: object) -> str | None:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return None
    return f"is {_shown(value)}, and must be a text for people, on one line"


def _url(value: object) -> str | None:
    with suppress(ValueError):
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts and parts.scheme in ("http", "https") and parts.hostname and not re.search(r"\s", str(value)):
            return None
    return f"is {_shown(value)}, and must be a URL like https://api.example.com"


def _host(value: object) -> str | None:
    problem = _url(value) if value != "" else None
    return problem and f"{problem}, or empty where each connection has its own"


def _states(value: object) -> str | None:
    if not isinstance(value, Mapping) or not value:
        return f"is {_shown(value)}, and must map the vendor's words to JobState"
    for word, state in value.items():
        if not isinstance(word, str) or not fold(word):
            return f"has {_shown(word)}, and must have the vendor's words"
        if not isinstance(state, JobState):
            return f"maps {_shown(word)} to {_shown(state)}, which is no JobState"
    problem = problem_of_words(value)
    return None if problem is None else f"has {problem}"


def _seconds(value: Any) -> str | None:
    if _is_number(value) and 0 < value < math.inf:
        return None
    return f"is {_shown(value)}, and must be seconds, more than 0"


def _rates(value: object) -> str | None:
    if not isinstance(value, tuple):
        return f"is {_shown(value)}, and must be a tuple like (RateLimit(60, 60.0),), or () for no limit"
    for each in value:
        if not isinstance(each, RateLimit):
            return f"has {_shown(each)}, which is no RateLimit"
        if not _is_number(each.requests) or not _is_number(each.seconds) or each.requests < 1 or not each.seconds > 0:
            return f"has {_shown(each)}, which allows nothing: both numbers must be more than 0"
    return None


def _members(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        return f"is {_shown(value)}, and must be a frozenset of names, or None"
    odd = next((each for each in value if not isinstance(each, str) or not _WORD.fullmatch(each)), None)
    return None if odd is None else f"has {_shown(odd)}, which is no name of a member"


def _zone(value: object) -> str | None:
    if isinstance(value, str):
        with suppress(Exception):  # whichever error pendulum has for it
            timezone(value)
            return None
    return f"is {_shown(value)}, which is no time zone"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return excerpt(repr(value), _SHOWN)
