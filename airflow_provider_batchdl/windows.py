"""Windows: the days, or the period of time, that one run of a DAG requests from a vendor.

Windows of successive runs neither overlap nor leave a gap, whatever the DAG's timetable: each day is paid for once.
They depend on the run, not on the clock, so that a retry, a clear or a backfill requests the same again.
In a template::

    "start_date": "{{ macros.batchdl.inclusive_days().first }}",
    "end_date": "{{ macros.batchdl.inclusive_days().last }}",

In a task of your own, or in a callable given as ``request``, call them with or without Airflow's context.

If a run has a data interval (``CronDataIntervalTimetable``, …), that is the window. Otherwise the window is the time
between the previous run's due time and this one's, by cron expression, delta or event dates; a run is due at its
``logical_date``, or ``run_after`` if it has none. A manual run has the window of the last scheduled one. If nothing
says how often a DAG runs (``None``, ``@once``, assets), the window is the day before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import pendulum
from jinja2 import pass_context

from airflow_provider_batchdl._airflow.compat import AirflowSkipException
from airflow_provider_batchdl._airflow.fail_fast import fail_fast
from airflow_provider_batchdl._airflow.schedules import (
    Interval,
    due_interval,
    earlier_by_wall_clock,
    partition_interval,
    schedule_zone,
    with_length,
)
from airflow_provider_batchdl._values import arguments, times
from airflow_provider_batchdl.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from pendulum import DateTime

__all__ = ["Days", "Period", "inclusive_days", "period"]

# Most that two clocks may differ.
_CLOCK_TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Days:
    """Whole days, both inclusive, as ApartmentIQ's ``start_date`` and ``end_date`` are.

    Args:
        first: the first day; as text ``2026-10-25``.
        last: the last day.
    """

    first: date
    last: date


@dataclass(frozen=True)
class Period:
    """Period of time, for Batch.com's ``from`` and ``to``.

    Args:
        start: its first moment, RFC 3339 in UTC: ``2026-10-25T00:00:00Z``.
        end: the first moment after it, which is the next run's ``start``.
    """

    start: str
    end: str


@pass_context
def inclusive_days(
    context: Context | Mapping[str, Any] | None = None,
    *,
    days: int | None = None,
    lag: int = 0,
    zone: str | tzinfo | None = None,
) -> Days:
    """Days that ended within this run's window: for a ``@daily`` run, the day before.

    Args:
        context: the task's context; the current one if left out. A template passes it by itself.
        days: number of days up to the window's last one, whatever its length: ``7`` for the week before every run.
            Successive windows then overlap, unless the DAG runs every so many days.
        lag: days by which to shift the window into the past, for a vendor whose data is late.
        zone: the time zone of the days, like ``"Europe/Berlin"``; the timetable's if left out.

    Raises:
        AirflowSkipException: no day ended within the window, as in most runs of an hourly DAG.
        BatchTaskFailedError: an argument is invalid, no run is active, or the last day has not ended.
    """
    with fail_fast(), _within_calendar():
        if days is not None:
            arguments.whole_number("days", days, least=1)
        arguments.whole_number("lag", lag, least=0)
        context = _context(context)
        found, where = _interval(context), _zone(context, zone)
        last = _day(found.end, where) - timedelta(days=1 + lag)
        first = last - timedelta(days=(1 if days is None else days) - 1)
        if days is None and found.start is not None:
            first = _day(found.start, where) - timedelta(days=lag)
        if first <= last:
            _check_ended(f"The day {last}", pendulum.datetime(last.year, last.month, last.day, tz=where).add(days=1))
    if first > last:
        raise AirflowSkipException(
            f"No day ended between {found.start} and {found.end}: this run has nothing to request."
        )
    return Days(first, last)


@pass_context
def period(
    context: Context | Mapping[str, Any] | None = None,
    *,
    length: timedelta | None = None,
    lag: timedelta = timedelta(),
) -> Period:
    """Period of this run's window: from the previous run's due time to this one's.

    Args:
        context: as for :func:`inclusive_days`.
        length: length of the period, up to the window's end; successive windows then overlap, unless the DAG runs at
            this interval. If left out, the window's own; a day if nothing says how often the DAG runs.
        lag: time by which to shift the window into the past, for a vendor whose data is late.

    Raises:
        BatchTaskFailedError: as for :func:`inclusive_days`.
    """
    with fail_fast(), _within_calendar():
        _check_span("length", length, timedelta.resolution)
        _check_span("lag", lag, timedelta())
        context = _context(context)
        found = _interval(context)
        start = found.start
        if length is not None or start is None:
            # A schedule without a zone, like a delta of hours, has no changes of the clock.
            where = schedule_zone(context["dag"].timetable) or "UTC"
            start = earlier_by_wall_clock(found.end, timedelta(days=1) if length is None else length, where)
        _check_ended(f"The time up to {found.end - lag}", found.end - lag)
        return Period(times.rfc3339(start - lag), times.rfc3339(found.end - lag))


def _interval(context: Mapping[str, Any]) -> Interval:
    run, timetable = context["dag_run"], context["dag"].timetable
    partition = times.moment_of(context.get("partition_date"))
    if partition is not None:
        return partition_interval(timetable, partition, _zone(context, None))
    start, end = times.moment_of(run.data_interval_start), times.moment_of(run.data_interval_end)
    if start is not None and end is not None and start < end:
        return with_length(timetable, start, end, _zone(context, None))
    due = times.moment_of(run.logical_date) or times.moment_of(run.run_after)
    if due is None:
        raise InvalidRequestError("This run has neither a logical date nor a time to run after.")
    return due_interval(timetable, due)


def _context(given: Context | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if given is not None:
        return given
    from airflow.sdk import get_current_context

    try:
        return get_current_context()
    except RuntimeError:
        raise InvalidRequestError(
            "A window needs a run of the DAG, and none is active here.",
            remedy=(
                "Call it in a task, or in a template: {{ macros.batchdl.inclusive_days().first }}; in a callable, pass "
                "it the context."
            ),
        ) from None


def _zone(context: Mapping[str, Any], given: str | tzinfo | None) -> Any:
    dag: Any = context["dag"]
    found = schedule_zone(dag.timetable) or dag.timezone if given is None else given
    try:
        if isinstance(found, str | tzinfo):
            return pendulum.timezone(found) if isinstance(found, str) else found
        raise ValueError
    except ValueError:
        raise arguments.refusal("zone", found, 'the name of a time zone, like "Europe/Berlin"') from None


def _day(moment: DateTime, zone: Any) -> date:
    return date.fromordinal(moment.in_timezone(zone).toordinal())


def _check_ended(what: str, end: DateTime) -> None:
    """Refuse a window that has not ended: a partition may just start, a manual run may have a future date."""
    if end > times.now() + _CLOCK_TOLERANCE:
        raise InvalidRequestError(
            f"{what} has not ended: the vendor does not have all of its data yet.",
            remedy=(
                "Set a lag for the window, or for a partitioned DAG CronPartitionTimetable(…, run_offset=-1); a manual "
                "run needs a logical date in the past."
            ),
        )


@contextmanager
def _within_calendar() -> Iterator[None]:
    """Refuse what leads beyond the years that there are."""
    try:
        yield
    except OverflowError:
        raise InvalidRequestError(
            "The window begins before the first year of the calendar.", remedy="Correct its days, length or lag."
        ) from None


def _check_span(name: str, value: object, least: timedelta) -> None:
    if value is not None and (not isinstance(value, timedelta) or value < least):
        raise arguments.refusal(name, value, "a timedelta, and not negative")
