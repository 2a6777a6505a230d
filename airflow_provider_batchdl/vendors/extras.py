"""The members of a connection's extra: which there are, what they may hold, and what a misspelt one was to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.vendors.requests import RateLimit
from airflow_provider_batchdl.vendors.words import nearest, problem_of, stripped

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.account import Account

# What every vendor's connection may have.
COMMON = frozenset({"poll_interval", "max_poll_interval", "rate_limit", "states", "new_members"})
# How alike two names are, by difflib: a slip of the keys, and a name that somebody else may have thought of, too.
_MISSPELT, _ALIKE = 0.85, 0.75
_LONGEST_SHOWN = 40
# Ten years, as for a task's own argument: with a longer interval, no clock can tell the next poll.
_LONGEST_SECONDS = 3660 * 86_400
_SECRET_WORDS = ("secret", "token", "password", "key", "credential", "signature", "authorization", "passphrase")


class BadExtraError(ValueError):
    """The extra is no JSON object; the message is the rest of a sentence that begins with it."""


def is_secret(name: str) -> bool:
    """True if a member of that name holds a secret."""
    return any(word in name.lower() for word in _SECRET_WORDS) and name != "token_url"


def read_extra(extra: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The extra as a mapping, of its JSON; what is none raises `BadExtraError`, which shows nothing of it."""
    if extra is None or isinstance(extra, Mapping):
        return extra or {}
    if not extra.strip():
        return {}
    try:
        value = json.loads(extra)
    except json.JSONDecodeError as error:
        raise BadExtraError(f"is no JSON: {error.msg}, at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise BadExtraError("is no JSON") from None
    if not isinstance(value, dict):
        raise BadExtraError(f'is JSON, but {_kind(value)} instead of an object like {{"poll_interval": 30}}')
    return value


def check_extra(account: Account, own: Collection[str] | None, *, vendor: str) -> tuple[str, ...]:
    """The names in the extra that mean nothing here, and are ignored; refuses members misspelt or of no use.

    ``own`` are the vendor's own members, all of them text of one word; None where any name may be one.
    """
    known = COMMON.union(own or ())
    for name, value in account.extra.items():
        problem = _problem_of(name, value) if name in known else None
        if problem is not None:
            raise account.wrong(_field(name), *problem, vendor=vendor)
    if own is None:
        return ()
    strange = tuple(name for name in account.extra if name not in known)
    free = {name for name in known if account.text(name) is None}
    for name in strange:
        meant = _meant(name, known, free)
        if meant is not None:
            raise account.wrong(
                _field(name),
                f"is not known: did you mean {meant!r}?",
                f"Known are {', '.join(sorted(known))}.",
                vendor=vendor,
            )
    return strange


def seconds(account: Account, name: str) -> float | None:
    """A number of seconds in the extra, which :func:`check_extra` has passed; None where it is missing or empty."""
    text = account.text(name)
    return None if text is None else float(text)


def rate_limit(account: Account) -> tuple[RateLimit, ...]:
    """The limit that the extra ``rate_limit`` names; none where it is missing or empty."""
    text = account.text("rate_limit")
    return () if text is None else (RateLimit.of(text),)


def new_members(account: Account) -> Mapping[str, Sequence[str]]:
    """Members, and values of them, that the vendor takes by now, as the connection says: an object, or its JSON."""
    return _parsed(account.extra.get("new_members")) or {}


def _parsed(value: Any) -> Any:
    """A member of the extra that may be text, as all of them are in a connection's URI, or an object."""
    try:
        return json.loads(value) if isinstance(value, str) and value.strip() else value
    except (ValueError, RecursionError):
        return value


def _field(name: str) -> str:
    return f"extra field {excerpt(name, _LONGEST_SHOWN)!r}"


def _problem_of(name: str, value: Any) -> tuple[str, str] | None:
    """Problem of a known member, and the remedy."""
    if isinstance(value, str):
        value = stripped(value)
    if value is None or value == "" or name == "states":  # see `states.named_states`
        return None
    if name in _CHECKS:
        check, words, remedy = _CHECKS[name]
        return None if check(value) else (f"is {_shown(value)}, and {words}", remedy)
    if not isinstance(value, str):
        shown = "" if is_secret(name) else f"{_shown(value)}, "
        return (
            f"is {shown}{_kind(value)}, where text is meant",
            f'Write it in quotation marks, like {{"{name}": "…"}}: of a number, JSON forgets how it was written.',
        )
    problem = problem_of(value, is_secret=is_secret(name))
    return None if problem is None else (problem, "Paste it anew.")


def _is_seconds(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 < float(value) <= _LONGEST_SECONDS
    except (TypeError, ValueError, OverflowError):
        return False


def _is_rate(value: Any) -> bool:
    try:
        return isinstance(value, str) and RateLimit.of(value) is not None
    except ValueError:
        return False


def _is_table(value: Any) -> bool:
    table = _parsed(value)
    return isinstance(table, Mapping) and all(isinstance(each, list) for each in table.values())


_SECONDS = (_is_seconds, "no number of seconds up to ten years", 'Set it like "30".')
_RATE_REMEDY = 'Set it to "requests/seconds", such as "60/60" for sixty in a minute, or leave it out.'
# The check of each member that all vendors have, what it is not otherwise, and the remedy.
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "poll_interval": _SECONDS,
    "max_poll_interval": _SECONDS,
    "rate_limit": (_is_rate, "no rate limit", _RATE_REMEDY),
    "new_members": (
        _is_table,
        "no object of lists",
        'Set it like {"a_member": [], "report_type": ["a_new_value"]}.',
    ),
}


def _meant(name: str, known: Collection[str], free: Collection[str]) -> str | None:
    """The member that a strange one was to be: any that it is as good as, or one that is ``free`` and similar."""
    if close := nearest(name, known, _MISSPELT) or nearest(name, free, _ALIKE):
        return close
    word = str(name).lower()
    # The first is how Airflow 2 named the fields of its forms.
    ends = (each for each in sorted(free) if word.endswith(f"__{each}") or (len(word) > 2 and word in each.split("_")))
    return next(ends, None)


def _shown(value: Any) -> str:
    return excerpt(repr(value), _LONGEST_SHOWN)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "something else")
