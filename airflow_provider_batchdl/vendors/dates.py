"""Dates and times in a request, written as the vendor takes them. Text is never touched.

JSON has no dates. Airflow's XCom has: what a task upstream returned as a ``date`` arrives as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

Write = Callable[[date], str]


def as_text(value: date) -> str:
    """A date as ``2026-10-31``, a time as RFC 3339 with its own offset: what JSON schemas mean by both words.

    A time without a zone is refused: Airflow's default zone, the DAG's and the vendor's may differ.
    """
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is None:
        raise ValueError('has no time zone: give it one, as pendulum.datetime(2026, 10, 31, tz="Europe/Berlin") has')
    return times.rfc3339(value)


def as_moment(value: date) -> str:
    """As :func:`as_text`, for a vendor that takes times: a date becomes its first moment, in UTC."""
    return as_text(value) if isinstance(value, datetime) else f"{value.isoformat()}T00:00:00Z"


def as_day(value: date) -> str:
    """A date as ``2026-10-31``, for a vendor that takes days; a time must be midnight in its own time zone.

    What Airflow gives is in UTC, where a midnight of the DAG's time zone belongs to the day before or is no midnight.
    """
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.time() != time():
        raise ValueError(
            "is a time, where the vendor takes days: give a date, like those of windows.inclusive_days(), or the "
            "time's .date() in the time zone that is meant"
        )
    return value.date().isoformat()


def written(vendor: Vendor, request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with all its dates and times, however deep, as the vendor takes them."""
    try:
        return {name: _written(member, vendor.write_date, str(name)) for name, member in request.items()}
    except ValueError as error:
        raise InvalidRequestError(
            f"The request's {error}.", vendor=vendor.name, remedy="Correct the task's request."
        ) from None
    except RecursionError:
        raise InvalidRequestError("The request is nested too deeply, or holds itself.", vendor=vendor.name) from None


def _written(value: Any, write: Write, place: str) -> Any:
    if isinstance(value, date):
        try:
            return write(value)
        except ValueError as error:
            raise ValueError(f"{place} ({value}) {error}") from None
    if isinstance(value, Mapping):
        return {name: _written(member, write, f"{place}.{name}") for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item, write, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return {_written(item, write, place) for item in value}
    return value
