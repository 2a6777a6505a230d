"""A vendor whose flows are guarded, as the clients drive them."""

from __future__ import annotations

from typing import TypeVar

from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.flows import guarded

V = TypeVar("V", bound=Vendor)
_FLOWS = ("submit", "find_submitted", "get_job", "list_jobs", "list_page", "ensure_cancelled", "get_balance", "check")


def guarding(vendor: V) -> V:
    """``vendor``, whose flows end with a value or a typed error for any answers."""
    for name in (*_FLOWS, "locate"):
        flow = getattr(vendor, name)
        setattr(vendor, name, lambda *given, flow=flow: guarded(vendor, flow(*given)))
    return vendor
