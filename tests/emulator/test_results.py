from __future__ import annotations

import csv
import io
import json
import resource
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.emulator.parquet import write_synthetic_parquet
from airflow_provider_batchdl.emulator.synthetic import SyntheticContent

VENDORS = ["revenuebase", "proofy", "batchcom", "apartmentiq"]
TEXT_FORMATS = ["csv", "jsonl", "json"]


def made(vendor: str, form: str, size: int, seed: str = "s") -> bytes:
    return b"".join(SyntheticContent(vendor, form, size, seed).chunks())


def check(form: str, vendor: str, body: bytes) -> None:
    if form == "csv":
        assert body.endswith(b"\n")
        assert len({len(row) for row in csv.reader(io.StringIO(body.decode()))}) == 1
    elif form == "jsonl":
        assert body.endswith(b"\n")
        assert all(isinstance(json.loads(line), dict) for line in body.splitlines())
    else:
        document = json.loads(body)
        assert document["list"] if vendor == "proofy" else document


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("form", TEXT_FORMATS)
@settings(max_examples=15, deadline=None, database=None)
@given(size=st.integers(min_value=600, max_value=700_000))
def test_any_size_is_exact_and_valid(vendor: str, form: str, size: int) -> None:
    body = made(vendor, form, size)
    assert len(body) == size
    check(form, vendor, body)


@settings(max_examples=100, deadline=None, database=None)
@given(data=st.data(), size=st.integers(min_value=600, max_value=1_500_000))
def test_any_range_is_a_piece_of_the_whole(data: st.DataObject, size: int) -> None:
    content = SyntheticContent("batchcom", "jsonl", size, "s")
    start = data.draw(st.integers(min_value=0, max_value=size))
    stop = data.draw(st.integers(min_value=start, max_value=size))
    whole = b"".join(content.chunks())
    assert b"".join(content.chunks(start, stop)) == whole[start:stop]


def test_rows_are_all_different() -> None:
    rows = made("revenuebase", "csv", 5_000_000).splitlines()
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("size", [8_000, 100_001, 5_000_000])
def test_parquet_of_an_exact_size(tmp_path: Path, size: int) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "result.parquet"
    write_synthetic_parquet(path, "apartmentiq", size, "s")
    assert path.stat().st_size == size
    table = pq.read_table(path)
    assert table.num_rows > 0
    assert "property_id" in table.column_names


def test_a_size_too_small_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="at least"):
        emulator.add_job("batchcom", ResultSpec(bytes=10))
    with pytest.raises(ValueError, match="unknown format"):
        ResultSpec(format="xls")
    assert made("batchcom", "jsonl", 0) == b""


def test_the_same_seed_gives_the_same_bytes() -> None:
    def digests(seed: int) -> list[str]:
        with Emulator(seed=seed) as emulator:
            jobs = [emulator.add_job(vendor, ResultSpec(bytes=50_000, parts=2)) for vendor in ("batchcom", "proofy")]
            return [file.sha256 for job in jobs for file in job.files()]

    assert digests(1) == digests(1)
    assert not set(digests(1)) & set(digests(2))
    assert len(set(digests(1))) == 4


def test_results_of_different_jobs_differ(emulator: Emulator) -> None:
    jobs = [emulator.add_job("apartmentiq", ResultSpec(bytes=20_000, format=form)) for form in ("csv", "csv", None)]
    assert len({job.files()[0].sha256 for job in jobs}) == 3


def test_the_same_seed_gives_the_same_account() -> None:
    with Emulator(seed=5) as one, Emulator(seed=5) as two, Emulator(seed=6) as other:
        assert one.credentials == two.credentials
        assert one.credentials != other.credentials
        assert one.add_job("batchcom").id == two.add_job("batchcom").id


def test_a_gibibyte_takes_no_memory() -> None:
    content = SyntheticContent("revenuebase", "csv", 1 << 30, "s")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = sum(len(piece) for piece in content.chunks())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert total == 1 << 30
    assert grown * (1 if sys.platform == "darwin" else 1024) < 16 << 20


def test_rows_are_made_by_the_block() -> None:
    content, lines = SyntheticContent("revenuebase", "csv", 64 << 20, "s"), [0]

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        lines[0] += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        rows = sum(piece.count(b"\n") for piece in content.chunks())
    finally:
        sys.settrace(before)
    assert lines[0] * 100 < rows


def test_the_far_end_is_as_close_as_the_beginning() -> None:
    content = SyntheticContent("revenuebase", "csv", 100 << 30, "s")
    begin = time.thread_time()
    tail = b"".join(content.chunks(content.size - 1000))
    assert len(tail) == 1000
    assert tail.endswith(b"\n")
    assert time.thread_time() - begin < 5  # all of it is minutes


def test_later_submissions_can_be_given_a_result(emulator: Emulator) -> None:
    from .helpers import client

    emulator.set_result("proofy", ResultSpec(bytes=20_000))
    with client(emulator, "proofy") as api:
        for size in (20_000, None):
            job_id = api.post("/verify/batch/create", json={"emails": ["a@b.com"]}).json()["id"]
            emulator.jobs("proofy")[-1].finish()
            length = len(api.get(f"/verify/batch/{job_id}/download").content)
            assert length == size if size else length < 1000
            emulator.set_result("proofy", None)
