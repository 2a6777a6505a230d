"""Limit of how far back a request may ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.matching import CLOCK_TOLERANCE

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor


def check_period(vendor: Vendor, request: Mapping[str, Any], longest: timedelta) -> None:
    """Refuse a period that begins too long ago, or does not end after it begins.

    What is no time (the word "now", a form that the vendor may know) passes.

    Args:
        vendor: whose request it is; a time without a time zone is in its zone.
        request: has the period as ``from`` and ``to``.
        longest: how long before now ``from`` may be.

    Raises:
        InvalidRequestError: naming both times.
    """
    begin, end = (vendor.moment(request.get(name)) for name in ("from", "to"))
    if begin is None:
        return
    first = times.now() - longest
    if begin < first - CLOCK_TOLERANCE:
        raise InvalidRequestError(
            f"The request's from, {request['from']}, is more than {longest.days} days ago: {vendor.label} has nothing "
            "older.",
            vendor=vendor.name,
            remedy=f"Ask for {first:%Y-%m-%d %H:%M} UTC or later; an older run of a DAG cannot be made up for.",
        )
    if end is not None and end <= begin:
        raise InvalidRequestError(
            f"The request's period is empty: it is from {request['from']} to {request['to']}.",
            vendor=vendor.name,
            remedy=(
                "Under Airflow's @daily a run's data interval has no length; take the start and end of "
                "macros.batchdl.period() instead."
            ),
        )
