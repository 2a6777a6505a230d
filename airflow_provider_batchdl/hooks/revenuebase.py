"""Hook of Revenuebase."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["RevenuebaseHook"]


class RevenuebaseHook(BatchApiHook):
    """Hook of Revenuebase, for connections of type ``revenuebase``; see :class:`BatchApiHook` for its methods."""

    default_conn_name = "revenuebase_default"
    conn_type = "revenuebase"
    hook_name = "Revenuebase"
