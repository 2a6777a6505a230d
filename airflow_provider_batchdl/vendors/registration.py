"""Checks of a vendor's class before anybody uses it; each mistake is said in words that name class and member."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from pendulum import timezone

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors import problem_of_name
from airflow_provider_batchdl.vendors.base import FileRules, Listing, RateLimit, RequestRules, Vendor
from airflow_provider_batchdl.vendors.states import problem_of_words

_SHOWN = 60
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_REQUIRED = ("name", "label", "default_host", "docs_url", "states", "poll_interval", "rate_limits")
_FLOWS = ("submit", "get_job", "list_jobs", "list_page", "cancel_job", "get_balance", "check", "candidates", "locate")
_HAS_DEFAULT = ("result_request", "locate")


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_url(value: object) -> bool:
    with suppress(ValueError):
        parts = urlsplit(value) if isinstance(value, str) and not re.search(r"\s", value) else None
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    return False


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _are_limits(value: object) -> bool:
    limits = value if isinstance(value, tuple) else (None,)
    numbers = [number for each in limits if isinstance(each, RateLimit) for number in (each.requests, each.seconds)]
    return len(numbers) == 2 * len(limits) and all(map(_is_positive, numbers))


def _are_states(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(word, str) and isinstance(state, JobState) for word, state in value.items())


def _are_words(value: object) -> bool:
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        return False
    return all(isinstance(each, str) and _WORD.fullmatch(each) for each in value)


def _is_zone(value: object) -> bool:
    with suppress(Exception):  # whichever error pendulum has for it
        return isinstance(value, str) and timezone(value) is not None
    return False


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _is_a(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


# What the members of a class must be: the check, and the words for it.
_MEMBERS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "label": (_is_line, "a text for people, on one line"),
    "key_label": (_is_line, "a text for people, on one line"),
    "login_label": (_or_none(_is_line), "a text for people, on one line, or None"),
    "default_host": (
        lambda value: value == "" or _is_url(value),
        "a URL like https://api.example.com, or empty where each connection has its own",
    ),
    "docs_url": (_is_url, "a URL like https://api.example.com"),
    "states": (_are_states, "a mapping of the vendor's words to JobState"),
    "poll_interval": (_is_positive, "seconds, more than 0"),
    "rate_limits": (_are_limits, "a tuple like (RateLimit(60, 60.0),), or () for no limit"),
    "extra_members": (_or_none(_are_words), "a frozenset of names, or None"),
    "zone": (_is_zone, "the name of a time zone"),
    "has_plain_secret": (_is_a(bool), "True or False"),
    "keeps_partial_results": (_is_a(bool), "True or False"),
    "request_rules": (_or_none(_is_a(RequestRules)), "RequestRules(...) or None"),
    "file_rules": (_or_none(_is_a(FileRules)), "FileRules(...) or None"),
    "listing": (_or_none(_is_a(Listing)), "Listing(...) or None"),
}


def problem_of_class(kind: object) -> str | None:
    """One sentence that names a class and what it lacks; None for a whole vendor."""
    problems = list(problems_of(kind))
    return f"{named(kind)} cannot be a vendor: {'; '.join(problems)}." if problems else None


def named(kind: object) -> str:
    """The class's name with its module."""
    return f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else _shown(kind)


def problems_of(kind: object) -> Iterator[str]:
    """Members that a class lacks, or that are of no use, each in words."""
    if not isinstance(kind, type) or not issubclass(kind, Vendor):
        yield "it is no subclass of Vendor"
        return
    lacking = [name for name in _REQUIRED if not hasattr(kind, name)]
    yield from (f"{name} is missing" for name in lacking)
    yield from _methods(kind)
    if "name" not in lacking and (problem := problem_of_name(kind.name)):
        yield f"name {problem}"
    for name, (check, words) in _MEMBERS.items():
        if name not in lacking and not check(getattr(kind, name)):
            yield f"{name} is {_shown(getattr(kind, name))}, and must be {words}"
    if "states" not in lacking and _are_states(kind.states) and (problem := problem_of_words(kind.states)):
        yield f"states has {problem}"


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


def _shown(value: object) -> str:
    return excerpt(repr(value), _SHOWN)
