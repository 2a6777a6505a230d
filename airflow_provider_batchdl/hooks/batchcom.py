"""The Batch.com hook."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook


class BatchComHook(BatchApiHook):
    """Batch.com, through a connection of type ``batchcom``; see :class:`BatchApiHook` for what it does."""

    default_conn_name = "batchcom_default"
    conn_type = "batchcom"
    hook_name = "Batch.com"


HOOK = BatchComHook
