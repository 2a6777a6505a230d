"""Parts of a result land at objects of their own, whatever numbers the vendor gives them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.jobs import Landing, ResultFile
from airflow_provider_batchdl.transfer.job_download import download, fetch
from airflow_provider_batchdl.transfer.numbering import numbered
from tests.transfer.conftest import ClientFor, left_in, local

ODD: list[tuple[Any, ...]] = [
    (0, 1, 2),
    (1, 1, 2),
    (2, None, 3),
    (None, None, None),
    (-1, -1, -1),
    (-3, -2, -1),
    (1, 2, 2**63),
    (1, 10**30, 10**31),
    (2, 3, 4),
    (1, 3, 5),
    ("1", "2", "x"),
    (0, 0, 0),
]


@pytest.mark.parametrize("numbers", ODD, ids=str)
@pytest.mark.parametrize("folder", [True, False])
def test_every_part_lands_as_an_object_of_its_own(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, numbers: tuple[Any, ...], folder: bool
) -> None:
    spec = ResultSpec(bytes=9_000, format="jsonl", parts=3, part_numbers=numbers)
    job = emulator.add_job("batchcom", result=spec)
    place = local(tmp_path, folder=True) if folder else local(tmp_path / "export.jsonl")
    landing = download(client_for("batchcom"), job.id, place)
    assert [file.part for file in landing.files] == [1, 2, 3]
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in job.files()]
    assert len(left_in(tmp_path)) == 4
    for file in landing.files:
        assert hashlib.sha256(Path(file.uri).read_bytes()).hexdigest() == file.sha256
    [manifest] = tmp_path.glob("*_manifest.json")
    assert Landing.from_dict(json.loads(manifest.read_text())) == landing


def test_a_retry_gives_the_same_numbers(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    spec = ResultSpec(bytes=9_000, format="jsonl", parts=3, part_numbers=(2, None, 2))
    job, client = emulator.add_job("batchcom", result=spec), client_for("batchcom")
    first, second = (download(client, job.id, local(tmp_path / "x.jsonl"), if_exists="skip") for _ in range(2))
    assert first == second


def test_the_vendors_numbers_are_the_order_where_they_are_whole(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    spec = ResultSpec(bytes=9_001, format="jsonl", parts=3, part_numbers=(3, 1, 2))
    job, client = emulator.add_job("batchcom", result=spec), client_for("batchcom")
    last, first, second = job.files()
    landing = download(client, job.id, local(tmp_path, folder=True))
    assert [(file.part, file.sha256) for file in landing.files] == [
        (1, first.sha256),
        (2, second.sha256),
        (3, last.sha256),
    ]
    rows = fetch(client, job.id, max_bytes=100_000)
    landed = [json.loads(line) for file in landing.files for line in Path(file.uri).read_text().splitlines()]
    assert rows == landed


def test_other_numbers_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    files = tuple(ResultFile(str(at), part=part) for at, part in enumerate((7, 7)))
    assert [file.part for file in numbered(files)] == [1, 2]
    assert "numbers the parts of the result 7, 7; they are numbered 1 to 2" in caplog.text
    caplog.clear()
    assert [file.part for file in numbered(tuple(ResultFile(str(at)) for at in range(3)))] == [1, 2, 3]
    assert numbered((ResultFile("1", part=9),)) == (ResultFile("1"),)
    assert numbered(()) == ()
    assert not caplog.text


@pytest.mark.parametrize("part", [True, 1.0, "1"])
def test_what_is_no_whole_number_is_none(part: Any) -> None:
    files = (ResultFile("a", part=part), ResultFile("b", part=2))
    assert [file.part for file in numbered(files)] == [1, 2]
