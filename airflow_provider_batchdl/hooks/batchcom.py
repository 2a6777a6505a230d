"""Hook of Batch.com."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["BatchComHook"]


class BatchComHook(BatchApiHook):
    """Hook of Batch.com, for connections of type ``batchcom``; see :class:`BatchApiHook` for its methods."""

    default_conn_name = "batchcom_default"
    conn_type = "batchcom"
    hook_name = "Batch.com"
