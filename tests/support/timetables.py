"""Airflow's timetables, as a DAG's file names them and as the scheduler has them."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import (
        CronDataIntervalTimetable,
        CronTriggerTimetable,
        DeltaDataIntervalTimetable,
        DeltaTriggerTimetable,
        EventsTimetable,
        MultipleCronTriggerTimetable,
    )
    from airflow.sdk.definitions.timetables.assets import AssetOrTimeSchedule
    from airflow.serialization.encoders import coerce_to_core_timetable
except ImportError:  # Airflow 3.1 has one kind for both
    from airflow.timetables.assets import AssetOrTimeSchedule  # type: ignore[assignment]
    from airflow.timetables.events import EventsTimetable  # type: ignore[assignment]
    from airflow.timetables.interval import (  # type: ignore[assignment]
        CronDataIntervalTimetable,
        DeltaDataIntervalTimetable,
    )
    from airflow.timetables.trigger import (  # type: ignore[assignment]
        CronTriggerTimetable,
        DeltaTriggerTimetable,
        MultipleCronTriggerTimetable,
    )

    def coerce_to_core_timetable(timetable: Any) -> Any:  # type: ignore[no-redef]
        return timetable


__all__ = [
    "AssetOrTimeSchedule",
    "CronDataIntervalTimetable",
    "CronTriggerTimetable",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "EventsTimetable",
    "MultipleCronTriggerTimetable",
    "to_core",
]


def to_core(timetable: Any) -> Any:
    """The scheduler's timetable for one of a DAG's file."""
    return coerce_to_core_timetable(timetable)
