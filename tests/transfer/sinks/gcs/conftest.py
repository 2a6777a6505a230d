"""The server that keeps to Google's protocol, and a bucket there."""

from __future__ import annotations

import pytest

from tests.support.gcs import GcsBucket
from tests.support.gcs_store import GcsStore


@pytest.fixture
def server(gcs_server: GcsStore) -> GcsStore:
    return gcs_server


@pytest.fixture
def bucket(gcs_protocol_bucket: GcsBucket) -> GcsBucket:
    return gcs_protocol_bucket
