"""Windows of successive runs, of every timetable, are whole days or moments that meet: no overlap, and no gap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, Asset
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl._airflow.compat import AirflowSkipException
from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.windows import Days, inclusive_days, period
from tests.support.airflow_features import needs_asset_partitions
from tests.support.timetables import (
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    to_core,
)

DAY = timedelta(days=1)
# Zones that change their clocks by an hour or a half, at night or at midnight, in both hemispheres; some that do not.
ZONES = [
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Beirut",
    "Africa/Cairo", "Australia/Lord_Howe", "America/Scoresbysund", "Asia/Kathmandu", "Pacific/Auckland",
    "America/Nuuk", "Asia/Tehran", "Pacific/Kiritimati",
]  # fmt: skip
CRONS = [
    "0 0 * * *", "0 3 * * *", "30 2 * * *", "59 23 * * *", "15 */6 * * *", "0 * * * *", "*/20 * * * *", "0 0 * * 1",
    "0 12 * * 1,4", "0 0 1 * *", "0 1 31 * *", "0 0 */3 * *",
]  # fmt: skip
zones, crons = st.sampled_from(ZONES), st.sampled_from(CRONS)
# Each example is some twenty runs.
settings.register_profile("runs", max_examples=10, deadline=None)
runs_of_it = settings.get_profile("runs")
begins = st.datetimes(datetime(2012, 1, 1), datetime(2020, 1, 1))  # noqa: DTZ001


_last: list[Any] = [None, None, None]


def context_of(timetable: Any, run: Any, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    if _last[0] is not timetable or _last[1] != zone:  # to make a DAG takes longer than all the rest
        begin, most = pendulum.datetime(2010, 1, 1, tz=zone), 1 if timetable == "@continuous" else 16
        dag = DAG("dag", schedule=timetable, start_date=begin, max_active_runs=most)
        _last[:] = [timetable, zone, dag]
    return {"dag": _last[2], "dag_run": run, **more}


def run_of(info: DagRunInfo) -> SimpleNamespace:
    """A run as the scheduler makes it."""
    interval = info.data_interval
    return SimpleNamespace(
        logical_date=info.logical_date if interval else None,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
        run_after=info.run_after,
    )


def by_hand(at: Any, timetable: Any = None) -> SimpleNamespace:
    """A run that somebody triggers, or that assets do, which has no logical date."""
    interval = to_core(timetable).infer_manual_data_interval(run_after=at) if timetable is not None else None
    return SimpleNamespace(
        logical_date=at if interval else None,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
        run_after=at,
    )


def successive(timetable: Any, begin: datetime, count: int) -> Iterator[DagRunInfo]:
    """Runs as the scheduler plans them, catching up from a moment."""
    core: Timetable = to_core(timetable)
    restriction = TimeRestriction(pendulum.instance(begin, tz="UTC"), None, catchup=True)
    last: DataInterval | None = None
    for _ in range(count):
        info = core.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert info is not None
        assert info.data_interval is not None
        yield info
        last = info.data_interval


def days_of(timetable: Any, runs: list[Any], zone: str, **how: Any) -> list[Days]:
    found = []
    for run in runs:
        try:
            found.append(inclusive_days(context_of(timetable, run, zone), **how))
        except AirflowSkipException:
            continue
    return found


def assert_they_tile(found: list[Days]) -> None:
    assert all(each.first <= each.last for each in found)
    assert [after.first for after in found[1:]] == [before.last + DAY for before in found[:-1]]


def assert_whole(timetable: Any, runs: list[Any], zone: str) -> None:
    """Days and moments of these runs meet, and each has ended when the run is made."""
    found = days_of(timetable, runs, zone)
    assert_they_tile(found)
    for each in runs:
        for days in days_of(timetable, [each], zone):
            assert days.last < pendulum.instance(each.run_after).in_timezone(zone).date()
    moments = [period(context_of(timetable, each, zone)) for each in runs]
    assert all(each.start < each.end for each in moments)
    assert [each.start for each in moments[1:]] == [each.end for each in moments[:-1]]


@runs_of_it
@example(cron="30 2 * * *", zone="Europe/Berlin", begin=datetime(2016, 3, 20), kind=CronTriggerTimetable)  # noqa: DTZ001
@given(cron=crons, zone=zones, begin=begins, kind=st.sampled_from([CronTriggerTimetable, CronDataIntervalTimetable]))
def test_cron(cron: str, zone: str, begin: datetime, kind: Any) -> None:
    timetable = kind(cron, timezone=zone)
    runs = [run_of(info) for info in successive(timetable, begin, 30)]
    assert_whole(timetable, runs, zone)
    if len(cron.split()) == 5 and cron.endswith("* * *") and "/" not in cron and not cron.startswith("0 *"):
        found = days_of(timetable, runs, zone)
        assert {each.last - each.first for each in found} == {timedelta()}  # a day a run
        assert len(found) == len(runs)


@runs_of_it
@given(zone=zones, begin=begins, cron=st.sampled_from(["0 0 * * *", "0 5 * * *"]), days=st.integers(1, 9))
@example(zone="Europe/Berlin", begin=datetime(2016, 3, 20), cron="0 0 * * *", days=1)  # noqa: DTZ001
@example(zone="Europe/Berlin", begin=datetime(2016, 10, 20), cron="0 0 * * *", days=2)  # noqa: DTZ001
def test_a_trigger_that_was_told_an_interval(zone: str, begin: datetime, cron: str, days: int) -> None:
    """Airflow counts 24 hours for a day, the clock on the wall 23 or 25 twice a year."""
    timetable = CronTriggerTimetable(cron, timezone=zone, interval=timedelta(days=days))
    runs = [run_of(info) for info in successive(timetable, begin, 20)]
    found = days_of(timetable, runs, zone)
    assert {each.last - each.first for each in found} == {timedelta(days=days - 1)}
    assert [each.last for each in found[1:]] == [each.last + DAY for each in found[:-1]]


@pytest.mark.parametrize("begin", ["2026-03-25", "2026-10-20"])
def test_a_day_of_a_daily_run_has_23_or_25_hours_when_the_clock_is_changed(begin: str) -> None:
    timetable = CronTriggerTimetable("0 0 * * *", timezone="Europe/Berlin")
    runs = [run_of(info) for info in successive(timetable, datetime.fromisoformat(begin), 10)]
    found = [period(context_of(timetable, run), length=DAY) for run in runs]
    assert [each.start for each in found[1:]] == [each.end for each in found[:-1]]


@runs_of_it
@example(["0 0 1 * *", "0 1 31 * *"], "Europe/London", datetime(2012, 4, 1))  # noqa: DTZ001
@given(st.lists(crons, min_size=2, max_size=3), zones, begins)
def test_several_crons(several: list[str], zone: str, begin: datetime) -> None:
    timetable = MultipleCronTriggerTimetable(*several, timezone=zone)
    assert_whole(timetable, [run_of(info) for info in successive(timetable, begin, 20)], zone)


@runs_of_it
@given(
    st.sampled_from([DeltaTriggerTimetable, DeltaDataIntervalTimetable]),
    st.timedeltas(timedelta(minutes=20), timedelta(days=40)) | st.builds(relativedelta, months=st.integers(1, 2)),
    zones,
    begins,
)
def test_delta(kind: Any, delta: Any, zone: str, begin: datetime) -> None:
    assume(begin.day <= 28)  # a month after the 31st is the 30th or 28th, and so not a month before
    timetable = kind(delta)
    assert_whole(timetable, [run_of(info) for info in successive(timetable, begin, 20)], zone)


@runs_of_it
@given(st.lists(begins, min_size=2, max_size=8, unique=True), zones)
def test_events(dates: list[datetime], zone: str) -> None:
    events = sorted(pendulum.instance(each, tz=zone).in_timezone("UTC") for each in dates)
    timetable = EventsTimetable(event_dates=events)
    runs = [run_of(DagRunInfo.exact(each)) for each in events]
    found = days_of(timetable, runs, zone)
    assert_they_tile(found)
    moments = [period(context_of(timetable, each, zone)) for each in runs]
    assert [each.start for each in moments[1:]] == [each.end for each in moments[:-1]]


@runs_of_it
@given(begins, st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=3)), min_size=1, max_size=20), zones)
def test_continuous(begin: datetime, took: list[timedelta], zone: str) -> None:
    """Each run's interval begins where the one before ended."""
    at, runs = pendulum.instance(begin, tz="UTC"), []
    for each in took:
        runs.append(run_of(DagRunInfo.interval(at, at + each)))
        at += each
    assert_whole("@continuous", runs, zone)


@pytest.mark.parametrize("schedule", ["@once", None, [Asset("a")]], ids=str)
@runs_of_it
@given(begins, zones)
def test_the_day_before_where_nothing_says_how_often(schedule: Any, begin: datetime, zone: str) -> None:
    at = pendulum.instance(begin, tz="UTC")
    run = by_hand(at) if isinstance(schedule, list) else run_of(DagRunInfo.exact(at))
    yesterday = at.in_timezone(zone).date().subtract(days=1)
    context = context_of(schedule, run, zone)
    assert inclusive_days(context) == Days(yesterday, yesterday)
    assert inclusive_days(context, days=7, lag=2) == Days(yesterday.subtract(days=8), yesterday.subtract(days=2))
    assert (
        period(context).end
        == at.format("YYYY-MM-DD[T]HH:mm:ss") + (f".{at.microsecond:06}" * bool(at.microsecond)) + "Z"
    )


@needs_asset_partitions
@runs_of_it
@given(zones, begins, st.sampled_from(["0 0 * * *", "0 0 * * 1", "0 4 * * *"]), st.sampled_from([-2, -1, 0]))
@example("America/Sao_Paulo", datetime(2012, 10, 15), "0 0 * * *", 0)  # noqa: DTZ001
def test_partitions(zone: str, begin: datetime, cron: str, offset: int) -> None:
    from airflow.sdk import CronPartitionTimetable

    timetable = CronPartitionTimetable(cron, timezone=zone, run_offset=offset)
    core, info, contexts, hours = to_core(timetable), None, [], set()
    for _ in range(20):
        info = core.next_dagrun_info_v2(
            last_dagrun_info=info, restriction=TimeRestriction(pendulum.instance(begin, tz="UTC"), None, catchup=True)
        )
        assert info is not None
        hours |= {moment.in_timezone(zone).hour for moment in (info.run_after, info.partition_date)}
        contexts.append(context_of(timetable, run_of(info), zone, partition_date=info.partition_date))
    # Where a midnight does not exist (Havana, 2012-04-01), Airflow's offset gives one date to several runs.
    assume(offset == 0 or len(hours) == 1)
    lag = 0 if offset else 1
    found = [inclusive_days(each, lag=lag) for each in contexts]
    assert_they_tile(found)
    # A backfill makes the run of a partition with another time to run after.
    again = [{**each, "dag_run": by_hand(each["partition_date"])} for each in contexts]
    assert [inclusive_days(each, lag=lag) for each in again] == found
    assert found[0].first == contexts[0]["partition_date"].in_timezone(zone).date().subtract(days=lag)


@needs_asset_partitions
def test_a_partition_that_has_just_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import CronPartitionTimetable

    today = pendulum.datetime(2026, 3, 30)
    # Not by the real clock: by that, the day has as good as ended from 23:58 on.
    monkeypatch.setattr(times, "now", lambda: today.add(minutes=1))
    timetable = CronPartitionTimetable("0 0 * * *", timezone="UTC")
    context = context_of(timetable, by_hand(today), partition_date=today)
    with pytest.raises(BatchTaskFailedError, match=r"has not ended.*lag .*run_offset=-1") as caught:
        inclusive_days(context)
    assert isinstance(caught.value.cause, InvalidRequestError)
    with pytest.raises(BatchTaskFailedError, match="has not ended"):
        period(context)
    assert inclusive_days(context, lag=1).last == today.date().subtract(days=1)
    assert period(context, lag=DAY).end == today.to_iso8601_string()


@runs_of_it
@given(crons, zones, begins, st.sampled_from([CronTriggerTimetable, CronDataIntervalTimetable]))
def test_by_hand_it_is_what_the_last_scheduled_run_asked_for(cron: str, zone: str, begin: datetime, kind: Any) -> None:
    timetable = kind(cron, timezone=zone)
    first, second, _ = successive(timetable, begin, 3)
    between = first.run_after + (second.run_after - first.run_after) / 2
    scheduled = context_of(timetable, run_of(first), zone)
    for run in (by_hand(between, timetable), by_hand(between)):
        context = context_of(timetable, run, zone)
        assert period(context) == period(scheduled)
        assert days_of(timetable, [run], zone) == days_of(timetable, [run_of(first)], zone)


def test_by_assets_or_by_time_it_is_as_by_time() -> None:
    weekly = CronTriggerTimetable("0 0 * * 1", timezone="Asia/Tokyo")
    timetable = AssetOrTimeSchedule(timetable=weekly, assets=[Asset("a")])
    monday = pendulum.datetime(2026, 3, 30, tz="Asia/Tokyo")
    for run in (run_of(DagRunInfo.exact(monday)), by_hand(monday.add(days=2))):
        assert inclusive_days(context_of(timetable, run)) == Days(date(2026, 3, 23), date(2026, 3, 29))


@needs_asset_partitions
def test_a_partition_of_an_asset_is_its_day() -> None:
    from airflow.sdk import PartitionedAssetTimetable

    begin = pendulum.datetime(2026, 3, 29, tz="Europe/Berlin")
    timetable = PartitionedAssetTimetable(assets=Asset("a"))
    context = context_of(timetable, by_hand(begin.add(days=3)), "Europe/Berlin", partition_date=begin)
    assert inclusive_days(context) == Days(date(2026, 3, 29), date(2026, 3, 29))
    assert period(context).end == "2026-03-29T22:00:00Z"


def test_daily_as_airflow_3_makes_it() -> None:
    """The documented example: at midnight in Berlin, which is 22:00 or 23:00 UTC of the day before."""
    midnight = pendulum.datetime(2026, 3, 30, tz="Europe/Berlin")
    run = run_of(DagRunInfo.exact(midnight.in_timezone("UTC")))
    context = context_of("@daily", run, "Europe/Berlin")
    assert inclusive_days(context) == Days(date(2026, 3, 29), date(2026, 3, 29))
    assert str(inclusive_days(context).first) == "2026-03-29"
    assert period(context).start == "2026-03-28T23:00:00Z"
    assert period(context).end == "2026-03-29T22:00:00Z"
    assert inclusive_days(context, zone="America/New_York").last == date(2026, 3, 28)
    assert inclusive_days(context, lag=3) == Days(date(2026, 3, 26), date(2026, 3, 26))
    assert inclusive_days(context, days=7) == Days(date(2026, 3, 23), date(2026, 3, 29))
    assert period(context, length=timedelta(hours=6), lag=timedelta(hours=1)).start == "2026-03-29T15:00:00Z"


def test_an_hourly_run_in_which_no_day_ended_skips() -> None:
    hourly = CronTriggerTimetable("@hourly", timezone="UTC")
    runs = [run_of(info) for info in successive(hourly, pendulum.datetime(2026, 3, 1), 24)]
    assert days_of("@hourly", runs, "UTC") == [Days(date(2026, 2, 28), date(2026, 2, 28))]
    with pytest.raises(AirflowSkipException, match="No day ended between"):
        inclusive_days(context_of("@hourly", runs[5]))


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (inclusive_days, {"days": 0}, "days must be a whole number, 1 or more, not 0"),
    (inclusive_days, {"days": "7"}, "days must be a whole number, 1 or more, not '7'"),
    (inclusive_days, {"days": True}, "days must be a whole number"),
    (inclusive_days, {"lag": -1}, "lag must be a whole number, 0 or more, not -1"),
    (inclusive_days, {"lag": timedelta(1)}, "lag must be a whole number"),
    (inclusive_days, {"zone": "Berlin"}, "zone must be the name of a time zone, like \"Europe/Berlin\", not 'Berlin'"),
    (period, {"length": 5}, "length must be a timedelta"),
    (period, {"length": timedelta()}, "length must be a timedelta"),
    (period, {"lag": -DAY}, "lag must be a timedelta"),
]


@pytest.mark.parametrize(("window", "how", "message"), WRONG)
def test_wrong_arguments(window: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchTaskFailedError, match=message):
        window(context_of("@daily", run_of(DagRunInfo.exact(pendulum.datetime(2026, 3, 30)))), **how)


def test_a_run_that_is_dated_ahead() -> None:
    ahead = pendulum.now("UTC").add(days=3)
    for window in (inclusive_days, period):
        with pytest.raises(BatchTaskFailedError, match=r"has not ended.*a logical date in the past"):
            window(context_of(None, run_of(DagRunInfo.exact(ahead))))


@pytest.mark.parametrize("window", [inclusive_days, period])
def test_outside_of_a_run(window: Any) -> None:
    with pytest.raises(BatchTaskFailedError, match="needs a run of the DAG, and none is active here"):
        window()
