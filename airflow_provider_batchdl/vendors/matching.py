"""Finding a submitted job again in a vendor's list, by what was asked for and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job

# Their clock and ours may differ by so much, so an equal job from just before a submit may be taken for what it made.
# The ids of the same task's jobs are known (`Submission.earlier`); another's is as good.
CLOCK_TOLERANCE = timedelta(minutes=2)
# Batch.com takes "now" for the end of a period; an echo may tell which time that was.
NOW_TOLERANCE = timedelta(minutes=10)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|\Z)")
_NOTHING: tuple[Any, ...] = (None, "", frozenset(), "false")


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time as an aware datetime; None where it is none. A time without a zone is taken as UTC."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def is_echo_of(
    echoed: object,
    request: Mapping[str, Any],
    created: object,
    since: datetime,
    *,
    known: Collection[str] | None = None,
) -> bool | None:
    """Whether a listed job is the one submitted: whether the request that the vendor repeats is the one that was sent.

    None where that cannot be told: nothing that can be compared differs, and the time or the request is missing.

    Members are compared both ways, since a job of a narrower request is somebody else's: what the echo has and the
    request has not counts, unless it is a default that means nothing (null, empty, false). What the echo lacks does
    not count, as a vendor need not repeat everything, but something has to be equal. Lists are compared as sets, since
    Batch.com shows them in an order of its own; dates by value; numbers as text.

    Args:
        echoed: the request as the vendor repeats it in its list.
        request: the request as submitted.
        created: when the vendor says the job was made.
        since: when we began to submit.
        known: the members of ``echoed`` that are a request's, where it has others, too; None where all are.
    """
    when = parse_time(created)
    if when is not None and when < since - CLOCK_TOLERANCE:
        return False
    if not isinstance(echoed, Mapping):
        return None
    sent = {str(name): value for name, value in request.items()}
    members = {name: value for name, value in echoed.items() if known is None or name in known or name in sent}
    shared = [name for name in sent if name in members]
    if not all(_equal(sent[name], members[name], when) for name in shared):
        return False
    if not all(_value(value) in _NOTHING for name, value in members.items() if name not in sent):
        return False
    is_told = when is not None and any(_value(sent[name]) not in _NOTHING for name in shared)
    return True if is_told else None


def recognized(
    items: Iterable[Any],
    is_ours: Callable[[Mapping[str, Any]], bool | None],
    read: Callable[[Any], Job],
    earlier: Collection[str],
) -> Iterator[Job | None]:
    """The jobs of a list that may be the one submitted; None for an item that may be it, and cannot be read.

    Args:
        items: the list's items, as the vendor sent them.
        is_ours: whether an item is the job; None where that cannot be told.
        read: makes a job of an item.
        earlier: ids of jobs that it is not.
    """
    for item in items:
        ours = is_ours(item) if isinstance(item, Mapping) else None
        if ours is False:
            continue
        try:
            job = read(item)
        except BatchDlError:
            yield None
            continue
        if job.id not in earlier:
            yield job if ours else None


def _equal(sent: Any, echoed: Any, created: datetime | None) -> bool:
    ours, theirs = _value(sent), _value(echoed)
    if ours == theirs or (ours in _NOTHING and theirs in _NOTHING):
        return True
    if ours != "now" or not isinstance(theirs, datetime):
        return False
    return created is None or abs(theirs - created) <= NOW_TOLERANCE


def _value(value: Any) -> Any:
    """``value`` in a form in which equal things are equal, and that can be in a set."""
    if isinstance(value, Mapping):
        members = ((str(name), _value(each)) for name, each in value.items())
        return frozenset((name, each) for name, each in members if each not in _NOTHING)
    if isinstance(value, list | tuple | set | frozenset):
        return frozenset(map(_value, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = None if value is None else str(value)
    return (parse_time(text) if text and _DATE.match(text) else None) or text
