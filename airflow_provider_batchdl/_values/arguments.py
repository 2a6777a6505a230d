"""Arguments of operators, hooks and commands, checked where they are given, before anything is paid for.

Each function returns the value that may be used, or raises `InvalidArgumentError`, which names the argument, says what
it may be, and, of a word that is misspelt, the one that is near. It is a `ValueError`, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_batchdl._values.storable import is_storable_text

if TYPE_CHECKING:
    from airflow_provider_batchdl.exceptions import InvalidArgumentError

_SHOWN = 60
# Airflow adds it to the time of day, and calendars end.
LONGEST_SECONDS = timedelta(days=3660).total_seconds()

# Of Airflow's names: `airflow.models.base.ID_LEN`.
LONGEST_NAME = 250

# Start of Jinja's templates.
TEMPLATES = ("{{", "{%", "{#")

W = TypeVar("W", bound=str)

Check: TypeAlias = Callable[[str, Any], Any]


def choice(name: str, value: object, allowed: Iterable[W]) -> W:
    """One of a few words."""
    words = tuple(allowed)
    for word in words:
        if value == word:
            return word
    raise refusal(name, value, one_of(words), near=words)


def flag(name: str, value: object, *, other: str = "") -> bool:
    """True or False; ``other`` is what else it could have been, for the message."""
    if isinstance(value, bool):
        return value
    raise refusal(name, value, f"True, False or {other}" if other else "True or False")


def whole_number(name: str, value: Any, *, least: int) -> int:
    """A whole number, ``least`` or more."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise refusal(name, value, f"a whole number, {least} or more")


def seconds(name: str, value: Any, *, zero: bool = False) -> float:
    """A span of time in seconds, given so or as a ``timedelta``; none at all only with ``zero``."""
    span = value.total_seconds() if isinstance(value, timedelta) else value
    if (
        isinstance(span, int | float)
        and not isinstance(span, bool)
        and (0 < span <= LONGEST_SECONDS or (zero and span == 0))
    ):
        return span
    raise refusal(
        name, value, f"seconds, {'0 or more' if zero else 'more than 0'} and at most ten years, or a timedelta"
    )


def refuse_crossed(given: Mapping[str, Any]) -> None:
    """Refuse a ``max_poll_interval`` below the ``poll_interval`` beside it, both in seconds."""
    shortest, longest = given.get("poll_interval"), given.get("max_poll_interval")
    if shortest is not None and longest is not None and longest < shortest:
        raise refusal("max_poll_interval", longest, f"at least the poll_interval, which is {shortest:g}")


def moment(name: str, value: Any) -> float:
    """A moment, in Unix time."""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return value
    raise refusal(name, value, "a moment in Unix time, seconds")


def text(name: str, value: Any) -> str:
    """A name, like a connection's id: a text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise refusal(name, value, "a text that is not empty")
    if len(value) > LONGEST_NAME or not is_storable_text(value):
        raise refusal(name, value, f"a text of at most {LONGEST_NAME} whole characters")
    return value


def refusal(name: str, value: object, wanted: str, *, near: Iterable[str] = ()) -> InvalidArgumentError:
    """The error for a value that must be ``wanted``; ``near`` are words of which it may be a misspelling."""
    # Only here: every `airflow` command loads this module.
    from difflib import get_close_matches

    from airflow_provider_batchdl._redaction.redactor import excerpt
    from airflow_provider_batchdl.exceptions import InvalidArgumentError

    if not is_placeholder(value):
        problem = f"not {excerpt(repr(value), _SHOWN)}"
    elif isinstance(value, str):
        problem = "and has a template, which is not rendered there"
    else:
        problem = "and is an XComArg, which only a running task has the value of"
    meant = get_close_matches(value.strip().lower(), near, 1) if isinstance(value, str) else []
    return InvalidArgumentError(
        f"{name} must be {wanted}, {problem}.", remedy=f'Did you mean "{meant[0]}"?' if meant else None
    )


def one_of(words: Iterable[str]) -> str:
    """Words as a person lists alternatives: `"a", "b" or "c"`."""
    *first, last = (f'"{word}"' for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def is_placeholder(value: object, marks: Iterable[str] = TEMPLATES) -> bool:
    """True if Airflow replaces the value when the task runs: an XComArg, or a text or path with a template in it."""
    if isinstance(value, str) or hasattr(value, "joinpath"):
        return any(mark in str(value) for mark in marks)
    return is_xcom_arg(value)


def is_xcom_arg(value: object) -> bool:
    """True if the value is an upstream task's output; a path can be resolved, too."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def unless_none(check: Check) -> Check:
    """The check of an argument that may be left out."""
    return lambda name, value: None if value is None else check(name, value)


PLAIN_CHECKS: Mapping[str, Check] = {
    "conn_id": text,
    "max_xcom_bytes": partial(whole_number, least=0),
    "poll_interval": unless_none(seconds),
    "max_poll_interval": unless_none(seconds),
    "poke_interval": unless_none(seconds),
    "timeout": unless_none(seconds),
    "deferrable": unless_none(flag),
    "durable": flag,
    "cancel_on_kill": flag,
    "deadline": unless_none(moment),
    "since": unless_none(moment),
}
"""Arguments that are a name, a number or a flag, wherever they are taken."""


def plain(name: str, value: Any) -> Any:
    """An argument of `PLAIN_CHECKS`, as it may be used: spans of time in seconds."""
    return PLAIN_CHECKS[name](name, value)
