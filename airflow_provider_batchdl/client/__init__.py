"""One HTTP conversation with a vendor: retries, rate limit, typed errors, redaction; with a sync and an async face."""

from __future__ import annotations

from airflow_provider_batchdl.client.aio import AsyncBatchClient
from airflow_provider_batchdl.client.sync import BatchClient

__all__ = ["AsyncBatchClient", "BatchClient"]
