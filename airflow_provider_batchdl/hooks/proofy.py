"""The Proofy hook."""

from __future__ import annotations

from airflow_provider_batchdl.hooks.base import BatchApiHook


class ProofyHook(BatchApiHook):
    """Proofy, through a connection of type ``proofy``; see :class:`BatchApiHook` for what it does."""

    default_conn_name = "proofy_default"
    conn_type = "proofy"
    hook_name = "Proofy"


HOOK = ProofyHook
