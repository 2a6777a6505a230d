"""Hook of any batch API that a document describes."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["DeclaredVendorHook"]


class DeclaredVendorHook(BatchApiHook):
    """Hook of connections of type ``batchapi``, whose extra names a document; see :class:`BatchApiHook`."""

    default_conn_name = "batchapi_default"
    conn_type = "batchapi"
    hook_name = "Batch API"
