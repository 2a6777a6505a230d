"""Hook of Proofy."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__ = ["ProofyHook"]


class ProofyHook(BatchApiHook):
    """Hook of Proofy, for connections of type ``proofy``; see :class:`BatchApiHook` for its methods."""

    default_conn_name = "proofy_default"
    conn_type = "proofy"
    hook_name = "Proofy"
