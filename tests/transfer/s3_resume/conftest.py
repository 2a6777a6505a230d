"""A fresh bucket, small blocks so that a few megabytes are many parts, and both places where notes are kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_batchdl.transfer.sinks import s3, s3_checkpoints
from airflow_provider_batchdl.transfer.state import StateStore
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.s3_resume.uploads import BLOCK, Memory


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "BLOCK", BLOCK)
    monkeypatch.setattr(s3, "IN_FLIGHT_BYTES", 2 * BLOCK)
    monkeypatch.setattr(s3_checkpoints, "EVERY", 2 * BLOCK)
    monkeypatch.setattr(s3_checkpoints, "WORTH_NOTING", BLOCK)


@pytest.fixture(params=["beside", "given"])
def state(request: pytest.FixtureRequest) -> StateStore | None:
    return Memory() if request.param == "given" else None
