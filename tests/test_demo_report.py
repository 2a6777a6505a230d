"""The demo's one judgement: what landed against what was served."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from demo.report import Landed, elide, problems, table


class Original(NamedTuple):
    size: int
    sha256: str
    part: int | None = None


PARTS = [b'{"a": 1}\n', b'{"a": 2}\n{"a": 3}\n']
SERVED = {
    ("batchcom", "export_1"): [
        Original(len(part), hashlib.sha256(part).hexdigest(), number) for number, part in enumerate(PARTS, start=1)
    ]
}


@pytest.fixture
def landed(tmp_path: Path) -> list[Landed]:
    files = []
    for number, part in enumerate(PARTS, start=1):
        path = tmp_path / f"a b-part-{number:04}.json"
        path.write_bytes(part)
        file = {
            "uri": f"file://{path}",
            "bytes": len(part),
            "sha256": hashlib.sha256(part).hexdigest(),
            "part": number,
            "rows": number,
        }
        landing = {"vendor": "batchcom", "job_id": "export_1"}
        files.append(Landed.from_landing("example_batchcom", 4.25, landing, file))
    return files


def test_right(landed: list[Landed]) -> None:
    assert problems(reversed(landed), SERVED) == []


def test_one_flipped_bit(landed: list[Landed]) -> None:
    content = bytearray(landed[1].path.read_bytes())
    content[3] ^= 1
    landed[1].path.write_bytes(content)
    [problem] = problems(landed, SERVED)
    assert "is not what was served" in problem


def test_truncated(landed: list[Landed]) -> None:
    landed[0].path.write_bytes(PARTS[0][:-1])
    hash_differs, size_differs = problems(landed, SERVED)
    assert "is not what was served" in hash_differs
    assert "8 bytes there, 9 in its landing, 9 served" in size_differs


def test_landing_that_claims_another_hash(landed: list[Landed]) -> None:
    landed[0] = replace(landed[0], sha256="0" * 64)
    [problem] = problems(landed, SERVED)
    assert "its landing claims sha256 0000" in problem


def test_missing_file(landed: list[Landed]) -> None:
    landed[0].path.unlink()
    [problem] = problems(landed, SERVED)
    assert "cannot read" in problem


def test_missing_part(landed: list[Landed]) -> None:
    assert problems(landed[:1], SERVED) == ["batchcom job export_1: 2 files served, 1 landed"]


def test_job_that_nobody_landed(landed: list[Landed]) -> None:
    served = {**SERVED, ("proofy", "p"): [Original(1, "")]}
    assert problems(landed, served) == ["proofy job p: submitted, but nothing landed"]


def test_job_that_nobody_served(landed: list[Landed]) -> None:
    assert problems(landed, {}) == ["batchcom job export_1: landed, but the emulator knows no such job"]


def test_nothing_at_all_is_no_success() -> None:
    assert problems([], {}) == ["nothing landed at all"]


def test_table(landed: list[Landed]) -> None:
    head, rule, first, second = table(reversed(landed)).splitlines()
    assert head.split() == ["vendor", "DAG", "job", "id", "file", "bytes", "rows", "sha256", "seconds"]
    assert set(rule) == {"─", " "}
    assert "a b-part-0001.json" in first
    assert "a b-part-0002.json" in second
    assert second.endswith(f"{len(PARTS[1])}     2  {SERVED['batchcom', 'export_1'][1].sha256[:8]}…      4.2")


@pytest.mark.parametrize(
    ("text", "short"), [("export_1", "export_1"), ("0123456789", "0123456789"), ("0123456789a", "0123…6789a")]
)
def test_elide(text: str, short: str) -> None:
    assert elide(text, 10) == short
