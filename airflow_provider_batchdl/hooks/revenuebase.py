"""The Revenuebase hook."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook


class RevenuebaseHook(BatchApiHook):
    """Revenuebase, through a connection of type ``revenuebase``; see :class:`BatchApiHook` for what it does."""

    default_conn_name = "revenuebase_default"
    conn_type = "revenuebase"
    hook_name = "Revenuebase"


HOOK = RevenuebaseHook
