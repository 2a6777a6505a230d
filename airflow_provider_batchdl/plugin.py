"""Airflow plugin: macros like ``{{ macros.batchdl.inclusive_days() }}``, and the page "Batch jobs" in Airflow's UI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from airflow_provider_batchdl._airflow.compat import plugin_class
from airflow_provider_batchdl.ui.mount import external_views, fastapi_apps
from airflow_provider_batchdl.windows import inclusive_days, period

__all__ = ["BatchDlPlugin"]


class BatchDlPlugin(plugin_class()):  # type: ignore[misc]
    """Plugin that adds the macros ``macros.batchdl`` and the page "Batch jobs"."""

    name = "batchdl"
    macros: ClassVar[list[Callable[..., Any]]] = [inclusive_days, period]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = fastapi_apps()
    external_views: ClassVar[list[dict[str, Any]]] = external_views()
