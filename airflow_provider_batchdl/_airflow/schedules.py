"""Intervals between the runs of a DAG, computed from its timetable.

On a worker, a DAG has the timetables of ``airflow.sdk``, which only describe a schedule (before Airflow 3.2, those of
the scheduler); the scheduler's own timetables compute it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import timetable_attribute

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
    from pendulum import DateTime


@dataclass(frozen=True)
class Interval:
    """Interval from when the previous run was due, None if unknown, to when this one was."""

    start: DateTime | None
    end: DateTime


def due_interval(timetable: Any, due: DateTime) -> Interval:
    """Interval that ends with the last run due by ``due``, and starts with the run before it."""
    timetable = _of_time(timetable)
    if crons := list(_crons(timetable)):
        end = max(_last_tick(each, due) for each in crons)
        return Interval(max(_last_tick(each, end - timedelta(seconds=1)) for each in crons), end)
    if delta := timetable_attribute(timetable, "delta"):
        from airflow.timetables.interval import DeltaDataIntervalTimetable

        return Interval(DeltaDataIntervalTimetable(delta).infer_manual_data_interval(due).start, due)
    events = sorted({each for each in timetable_attribute(timetable, "event_dates") or () if each <= due})
    if events:
        return Interval(events[-2] if events[1:] else None, events[-1])
    return Interval(None, due)


def partition_interval(timetable: Any, begin: DateTime, zone: Any) -> Interval:
    """Interval of the partition that starts at ``begin``: up to the next one, or a day if that is unknown."""
    ticks = (_next_tick(each, begin) for each in _crons(_of_time(timetable)))
    return Interval(begin, min(ticks, default=begin.in_timezone(zone).add(days=1)).in_timezone("UTC"))


def with_length(timetable: Any, start: DateTime, end: DateTime, zone: Any) -> Interval:
    """A run's data interval; a length that a trigger timetable was given is measured in local time.

    Airflow takes 24 hours for a day, so that two days overlap or leave a gap of an hour at a change of the clock.
    """
    length = timetable_attribute(timetable, "interval")
    return Interval(earlier_by_wall_clock(end, length, zone) if length else start, end)


def earlier_by_wall_clock(moment: DateTime, length: timedelta | relativedelta, zone: Any) -> DateTime:
    """``moment`` minus ``length`` in local time: a day has 23 or 25 hours at a change of the clock.

    ``moment - length`` takes 24 hours: pendulum counts a timedelta in seconds.
    """
    return (moment.in_timezone(zone).naive() - length).set(tz=zone).in_timezone("UTC")


def schedule_zone(timetable: Any) -> Any:
    """Time zone of a timetable's cron expression; None without one."""
    timetable = _of_time(timetable)
    return timetable_attribute(next(iter(timetable_attribute(timetable, "timetables") or ()), timetable), "timezone")


def _last_tick(cron: Any, moment: DateTime) -> DateTime:
    """The last moment up to ``moment`` that a cron expression names.

    Where the clock skips a time that it names, Airflow's answer may lie after the moment: then it is asked about an
    earlier one.
    """
    earlier = moment
    while (found := cron.infer_manual_data_interval(run_after=earlier).end) > moment:
        earlier -= timedelta(hours=1)
    return found  # type: ignore[no-any-return]


def _next_tick(cron: Any, moment: DateTime) -> DateTime:
    """The first moment after ``moment`` that a cron expression names.

    Where the clock skips a time that it names, Airflow's answer may be the moment after that.
    """
    from airflow.timetables.base import TimeRestriction

    info = cron.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(moment, None, True))
    found: DateTime = info.data_interval.end
    while (earlier := _last_tick(cron, found - timedelta(seconds=1))) > moment:
        found = earlier
    return found


def _of_time(timetable: Any) -> Any:
    """The time-based part of a timetable that runs by assets or time."""
    return getattr(timetable, "timetable", timetable)


def _crons(timetable: Any) -> Iterator[Any]:
    from airflow.timetables.interval import CronDataIntervalTimetable

    for each in timetable_attribute(timetable, "timetables") or (timetable,):
        if expression := timetable_attribute(each, "expression"):
            yield CronDataIntervalTimetable(expression, timetable_attribute(each, "timezone"))
