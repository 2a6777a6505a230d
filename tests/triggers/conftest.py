from __future__ import annotations

import pytest

from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers import account_registry


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that were read, one entry for each time."""
    read: list[str] = []
    real = account_registry._read

    async def noted(conn_id: str) -> BatchApiHook:
        hook = await real(conn_id)
        read.append(conn_id)
        return hook

    monkeypatch.setattr(account_registry, "_read", noted)
    return read
