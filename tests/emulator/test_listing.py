"""Lists of result files as Batch.com's documents do not show them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec

from .helpers import client


def export(emulator: Emulator, spec: ResultSpec) -> dict[str, Any]:
    job = emulator.add_job("batchcom", result=spec)
    with client(emulator, "batchcom") as api:
        answer = api.get("/exports/view", params={"id": job.id})
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_numbers_to_order(emulator: Emulator) -> None:
    spec = ResultSpec(bytes=3_000, parts=3, part_numbers=(2, None, -1))
    assert [file["part"] for file in export(emulator, spec)["files"]] == [2, None, -1]


def test_no_files(emulator: Emulator) -> None:
    assert export(emulator, ResultSpec(parts=0))["files"] == []
    assert export(emulator, ResultSpec(listing="null"))["files"] is None
    assert "files" not in export(emulator, ResultSpec(listing="missing"))


@pytest.mark.parametrize(
    "wrong", [{"parts": -1}, {"parts": 2, "part_numbers": (1,)}, {"listing": "none"}, {"bytes": -1}], ids=str
)
def test_what_cannot_be_made_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot|unknown"):
        ResultSpec(**wrong)
