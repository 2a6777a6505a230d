"""A fresh bucket, small blocks so that a few megabytes are many parts, and both places for records."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.s3 import checkpointed, sink
from airflow_provider_batchdl.transfer.state import StateStore
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.sinks.s3.resume.uploads import BLOCK, Memory


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "BLOCK", BLOCK)
    monkeypatch.setattr(buffered, "IN_FLIGHT_BYTES", 2 * BLOCK)
    monkeypatch.setattr(checkpointed, "EVERY", 2 * BLOCK)
    monkeypatch.setattr(checkpointed, "WORTH_RECORDING", BLOCK)


@pytest.fixture(params=["beside", "given"])
def state(request: pytest.FixtureRequest) -> StateStore | None:
    return Memory() if request.param == "given" else None
