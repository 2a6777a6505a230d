"""The vendors that the provider knows and their object store on loopback, for tests.

>>> with Emulator(port=0) as emulator:  # doctest: +SKIP
...     job = emulator.add_job("batchcom", ResultSpec(bytes=10_000_000, parts=3))
...     emulator.add_fault(Fault("cut", operation="store", after_bytes=1_000_000))

It is a second, independent reading of the vendors' documentation: it shares no code with the clients it tests, and
imports no Airflow. It needs the extra ``emulator``; nothing of it is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.clock import ManualClock, SystemClock
    from airflow_provider_batchdl.emulator.core import Emulator
    from airflow_provider_batchdl.emulator.faults import Fault
    from airflow_provider_batchdl.emulator.jobs import EmulatedJob
    from airflow_provider_batchdl.emulator.records import RequestRecord
    from airflow_provider_batchdl.emulator.results import ServedFile
    from airflow_provider_batchdl.emulator.synthetic import ResultSpec

__all__ = [
    "EmulatedJob",
    "Emulator",
    "Fault",
    "ManualClock",
    "RequestRecord",
    "ResultSpec",
    "ServedFile",
    "SystemClock",
]

_HOMES = {
    "EmulatedJob": "jobs",
    "Emulator": "core",
    "Fault": "faults",
    "ManualClock": "clock",
    "RequestRecord": "records",
    "ResultSpec": "synthetic",
    "ServedFile": "results",
    "SystemClock": "clock",
}
_EXTRA = frozenset({"starlette", "uvicorn", "httptools", "python_multipart"})


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Raises:
        ImportError: where the extra is not installed; the message says how to get it.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ImportError(
            f"the emulator needs {error.name}: pip install 'airflow-provider-batchdl[emulator]'", name=error.name
        ) from error
