"""Download engine: bytes from a URL into a store, streamed, verified, and only then visible. Needs no Airflow.

``from airflow_provider_batchdl.transfer import Destination, download, fetch, sweep`` is all that a script needs; each
name is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.cleanup import sweep
    from airflow_provider_batchdl.transfer.destination import Destination
    from airflow_provider_batchdl.transfer.job_download import download, fetch
    from airflow_provider_batchdl.transfer.parallel import MAX_CONNECTIONS

__all__ = ["MAX_CONNECTIONS", "Destination", "download", "fetch", "sweep"]

_HOMES = {
    "MAX_CONNECTIONS": "parallel",
    "Destination": "destination",
    "download": "job_download",
    "fetch": "job_download",
    "sweep": "cleanup",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
