"""Four hundred pages of a result become one CSV without growing the process, measured in one of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from tests.support.child import finished, order

VENDOR = "salesforce_bulk_query"
MIB = 2**20
MOST = 4 * MIB

pytestmark = [
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to measure the peak"),
]


def measured(emulator: Emulator, target: Path, spec: ResultSpec) -> dict[str, Any]:
    """What a process of its own says of landing a result as one file."""
    job = emulator.add_job(VENDOR, spec)
    told = order(emulator, job.id, str(target), vendor=VENDOR, s3=None)
    told |= {"vendor": "batchapi", "extra": {"vendor": VENDOR}, "options": {"join_pages": True}}
    result, _ = finished("tests.transfer.memory_child", told, timeout=1400)
    digest = hashlib.sha256()
    with target.open("rb") as file:
        for piece in iter(lambda: file.read(MIB), b""):
            digest.update(piece)
    assert digest.hexdigest() == job.files()[0].sha256
    return result


def test_four_hundred_pages_take_the_memory_of_a_few(emulator: Emulator, tmp_path: Path) -> None:
    few = measured(emulator, tmp_path / "few.csv", ResultSpec(bytes=100_000, page_rows=320))
    many = measured(emulator, tmp_path / "many.csv", ResultSpec(bytes=8_000_000, page_rows=320))
    [file] = many["landing"]["files"]
    print(f"{file['pages']} pages: {many['over'] / MIB:.1f} MiB; {few['over'] / MIB:.1f} MiB for a few")  # noqa: T201
    assert file["pages"] >= 400
    assert many["over"] - few["over"] <= MOST
