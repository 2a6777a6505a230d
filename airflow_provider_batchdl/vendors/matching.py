"""Finding a submitted job again in a vendor's list, by what was asked for and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from airflow_provider_batchdl._values.times import moment_of
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.vendors.listing import MOST_PAGES, ListedJob, Page
from airflow_provider_batchdl.vendors.reading import UNREADABLE

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Flow
    from airflow_provider_batchdl.vendors.requests import Submission

# Their clock and ours may differ by so much, so an equal job from just before a submit may be taken for what it made.
# The ids of the same task's jobs are known (`Submission.known_job_ids`); another's is as good.
CLOCK_TOLERANCE = timedelta(minutes=2)
# Batch.com takes "now" for the end of a period; its echo may hold the time that this was.
NOW_TOLERANCE = timedelta(minutes=10)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|\Z)")
_NOTHING: tuple[Any, ...] = (None, "", frozenset(), "false")


def is_echo_of(
    echoed: object,
    request: Mapping[str, Any],
    created: object,
    since: datetime,
    *,
    known: Collection[str] | None = None,
    zone: str = "UTC",
) -> bool | None:
    """True if a listed job, made at ``created``, is the one submitted ``since``: the vendor echoes the request sent.

    None if unknown: nothing that can be compared differs, and the time or the request is missing. ``known`` are the
    members of the echo that are a request's, where it has others, too.

    Members are compared both ways, since a job of a narrower request is somebody else's: what the echo has and the
    request has not counts, unless it is a default that means nothing (null, empty, false). What the echo lacks does
    not count, as a vendor need not repeat everything, but something has to be equal. Lists are compared as sets, since
    Batch.com shows them in an order of its own; dates by value; numbers as text.
    """
    when = moment_of(created, zone)
    if when is not None and when < since - CLOCK_TOLERANCE:
        return False
    if not isinstance(echoed, Mapping):
        return None
    sent = {str(name): value for name, value in request.items()}
    members = {name: value for name, value in echoed.items() if known is None or name in known or name in sent}
    shared = [name for name in sent if name in members]
    if not all(_equal(sent[name], members[name], when, zone) for name in shared):
        return False
    if not all(_value(value, zone) in _NOTHING for name, value in members.items() if name not in sent):
        return False
    is_told = when is not None and any(_value(sent[name], zone) not in _NOTHING for name in shared)
    return True if is_told else None


def searched(
    page: Callable[[str | None, float], Flow[Page]],
    read: Callable[[Any], ListedJob],
    is_ours: Callable[[Mapping[str, Any]], bool | None],
    submission: Submission,
    delay: float,
    *,
    newest_first: bool = False,
) -> Flow[list[Job | None]]:
    """The listed jobs that may be the one that ``submission`` made, page by page; see :meth:`Vendor.candidates`.

    ``page`` asks for a page, given its cursor and the seconds to wait before; ``read`` reads an item, and ``is_ours``
    tells whether it is the job. Where the list has the newest first, a page of older jobs is the last.
    """
    since = submission.submitted_at - CLOCK_TOLERANCE
    jobs: list[ListedJob | None] = []
    known, seen, cursors = set(submission.known_job_ids), set[str](), set[str]()
    cursor: str | None = None
    for _ in range(MOST_PAGES - 1):
        found = yield from page(cursor, delay)
        listed = [_readable(read, item) for item in found.items]
        for item, each in zip(found.items, listed, strict=True):
            ours = is_ours(item) if isinstance(item, Mapping) else None
            if ours is not False and (each is None or (each.job.id not in seen and each.job.id not in known)):
                jobs.append(each if ours else None)
        news = {each.job.id for each in listed if each} - seen
        made = [each.created for each in listed if each and each.created]
        following = found.following
        if found.whole and (following is None or (newest_first and made and max(made) < since)):
            return _nearest_first(jobs, submission.submitted_at)
        if not found.whole or following is None or (listed and not news) or following in cursors:
            break  # there is more that cannot be had, or that would never end
        seen |= news
        cursors.add(following)
        cursor, delay = following, 0.0
    return _nearest_first([*jobs, None], submission.submitted_at)


def _nearest_first(jobs: list[ListedJob | None], moment: datetime) -> list[Job | None]:
    """The jobs, that made nearest to ``moment`` first: of several equal ones, the others are of other tasks."""

    def away(each: ListedJob | None) -> float:
        created = moment_of(each.created) if each else None
        return inf if created is None else abs(created.timestamp() - moment.timestamp())

    return [each.job if each else None for each in sorted(jobs, key=away)]


def _readable(read: Callable[[Any], ListedJob], item: Any) -> ListedJob | None:
    try:
        return read(item)
    except UNREADABLE:
        return None


def _equal(sent: Any, echoed: Any, created: datetime | None, zone: str) -> bool:
    ours, theirs = _value(sent, zone), _value(echoed, zone)
    if ours == theirs or (ours in _NOTHING and theirs in _NOTHING):
        return True
    if ours != "now" or not isinstance(theirs, datetime):
        return False
    return created is None or abs(theirs - created) <= NOW_TOLERANCE


def _value(value: Any, zone: str) -> Any:
    """``value`` in a form in which equal things are equal, and that can be in a set."""
    if isinstance(value, Mapping):
        members = ((str(name), _value(each, zone)) for name, each in value.items())
        return frozenset((name, each) for name, each in members if each not in _NOTHING)
    if isinstance(value, list | tuple | set | frozenset):
        return frozenset(_value(each, zone) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = None if value is None else normalize("NFC", str(value)).strip()
    return (moment_of(text, zone) if text and _DATE.match(text) else None) or text
