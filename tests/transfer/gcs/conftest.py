"""The server that keeps to Google's protocol, a bucket there, and no waiting between attempts."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.transfer.sinks import gcs_api
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import GcsStore


@pytest.fixture
def server(gcs_server: GcsStore) -> GcsStore:
    return gcs_server


@pytest.fixture
def bucket(gcs_protocol_bucket: GcsBucket) -> GcsBucket:
    return gcs_protocol_bucket


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcs_api, "FIRST_PAUSE", 0.001)
