"""Versions of the vendors' APIs: one that ends is warned of, its end is explained, and one that is none is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidRequestError
from tests.client.helpers import Face, vendor_of


@pytest.fixture
def retired() -> Iterator[Emulator]:
    with Emulator(rate_limits=False, revenuebase_v1=False) as running:
        yield running


def test_v1_is_warned_about_and_its_end_explained(
    retired: Emulator, face: Face, contacts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        vendor = vendor_of(retired, "revenuebase", extra={"api_version": "v1"})
    assert "2026-07-07" in caplog.text
    for flow in (
        lambda each: each.list_jobs(),
        lambda each: each.check(),
        lambda each: each.get_job("41001"),
        lambda each: each.ensure_cancelled("41001"),
    ):
        with pytest.raises(InvalidRequestError, match="use v2"):
            face.run(vendor, flow)
    with pytest.raises(InvalidRequestError, match="use v2"):
        face.submit(vendor, None, contacts)


def test_v2_is_not_warned_about(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    vendor_of(emulator, "revenuebase")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("name", "version"), [("revenuebase", "v3"), ("batchcom", "latest"), ("batchcom", "2.10/../1")]
)
def test_a_version_that_is_none(emulator: Emulator, name: str, version: str) -> None:
    with pytest.raises(InvalidRequestError, match="api_version"):
        vendor_of(emulator, name, extra={"api_version": version})
