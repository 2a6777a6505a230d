"""Bytes from a URL into a store: streamed, verified, and only then visible. Imports no Airflow.

``from airflow_provider_batchdl.transfer import Destination, download, fetch, sweep`` is all that a script needs; each
is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.destination import Destination
    from airflow_provider_batchdl.transfer.landing import download, fetch
    from airflow_provider_batchdl.transfer.sweeping import sweep

__all__ = ["MAX_CONNECTIONS", "Destination", "download", "fetch", "sweep"]

MAX_CONNECTIONS = 8
"""The most connections for one file where nothing else is said."""

_HOMES = {"Destination": "destination", "download": "landing", "fetch": "landing", "sweep": "sweeping"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
