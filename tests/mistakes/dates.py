"""Mistakes in dates and windows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum

from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from tests.mistakes import BEFORE_SUBMIT, Mistake


def report(**dates: Any) -> dict[str, Any]:
    """A report of ApartmentIQ's."""
    days = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
    return {"report_type": "property", "output_format": "csv", "property_ids": [1201], **days, **dates}


def export(begin: Any, **more: Any) -> dict[str, Any]:
    """An export of events from Batch.com."""
    return {"export_type": "EVENTS", "events": ["email_sent"], "identifiers": ["custom_id"], "from": begin, **more}


MISTAKES: list[Mistake] = [
    Mistake(
        "gives ApartmentIQ a time in the place of a date, like a midnight of Berlin in UTC",
        lambda desk: desk.run(
            vendor="apartmentiq", request=report(end_date=pendulum.datetime(2026, 10, 31, 22)), retries=1
        ),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request's end_date (2026-10-31 22:00:00+00:00) is a time, where the vendor takes days: …",
        "give a date, like those of windows.inclusive_days(), or the time's .date() in the time zone that is meant",
    ),
    Mistake(
        "gives Batch.com a time without a time zone",
        lambda desk: desk.run(vendor="batchcom", request=export(datetime(2026, 10, 31, 7)), retries=1),  # noqa: DTZ001
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request's from (2026-10-31 07:00:00) has no time zone: …",
        'give it one, as pendulum.datetime(2026, 10, 31, tz="Europe/Berlin") has',
    ),
    Mistake(
        "asks Batch.com for events of more than 90 days ago",
        lambda desk: desk.run(vendor="batchcom", request=export("2026-01-01T00:00:00Z"), retries=1),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request's from, 2026-01-01T00:00:00Z, is more than 90 days ago: Batch.com has nothing older.",
        "Ask for … UTC or later; an older run of a DAG cannot be made up for.",
    ),
    Mistake(
        "asks Batch.com for the data interval of a @daily run, which has no length",
        lambda desk: desk.run(
            vendor="batchcom",
            request=export(pendulum.yesterday("UTC"), to=pendulum.yesterday("UTC")),
            retries=1,
        ),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request's period is empty: it is from … to …",
        "take the start and end of macros.batchdl.period() instead",
    ),
    Mistake(
        "asks for a window that begins before all years",
        lambda desk: desk.run(
            vendor="apartmentiq",
            request=report(start_date="{{ macros.batchdl.inclusive_days(lag=10**9).first }}"),
            retries=1,
        ),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The window begins before the first year of the calendar.",
        "Correct its days, length or lag.",
    ),
    Mistake(
        "asks for a window of no days",
        lambda desk: desk.run(
            vendor="apartmentiq",
            request=report(start_date="{{ macros.batchdl.inclusive_days(days=0).first }}"),
            retries=1,
        ),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "days must be a whole number, 1 or more, not 0.",
        "Correct the argument.",
    ),
    Mistake(
        "asks for a window in a time zone that does not exist",
        lambda desk: desk.run(
            vendor="apartmentiq",
            request=report(start_date="{{ macros.batchdl.inclusive_days(zone='Berlin').first }}"),
            retries=1,
        ),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "zone must be the name of a time zone, like \"Europe/Berlin\", not 'Berlin'.",
        "Correct the argument.",
    ),
]
