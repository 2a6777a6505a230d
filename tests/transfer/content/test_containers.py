"""Gzip, zip and Parquet: complete files pass, cut and damaged ones are told."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import ChecksumMismatchError
from airflow_provider_batchdl.transfer.content import check_for
from airflow_provider_batchdl.transfer.content.containers import ZipCheck
from tests.transfer.content.strategies import sizes
from tests.transfer.content.verdicts import cut_at, gzip_check, judge, verdict


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), sizes, st.integers(0, 5))
def test_gzip_members(members: list[bytes], cuts: list[int], padding: int) -> None:
    data = b"".join(gzip.compress(member) for member in members)
    assert judge_gzip(data + b"\0" * padding, cuts) == "ok"
    assert judge_gzip(data[:-1], cuts) == "TruncatedDownloadError"


def test_damaged_gzip() -> None:
    data = bytearray(gzip.compress(b"x" * 1000))
    data[-6] ^= 1
    with pytest.raises(ChecksumMismatchError):
        gzip_check().feed(bytes(data))


def test_a_small_bomb_costs_little() -> None:
    packed = gzip.compress(b"[" + b"0," * 30_000_000 + b"0]")
    check = check_for("application/gzip", "x.json.gz")
    check.feed(packed)
    check.finish()
    assert check.rows == 30_000_001


def test_csv_inside_gzip() -> None:
    check = check_for(None, "x.csv.gz")
    assert verdict(check, [gzip.compress(b"a,b\n1,2\n")])[:3] == ("ok", "gzip", 1)


@given(st.binary(max_size=300), st.binary(max_size=40), sizes, st.data())
def test_zip(content: bytes, comment: bytes, cuts: list[int], data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", content)
        archive.comment = comment
    whole = buffer.getvalue()
    assert verdict(ZipCheck(), cut_at(whole, cuts))[0] == "ok"
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert verdict(ZipCheck(), cut_at(cut, cuts))[0] == "TruncatedDownloadError"


def test_parquet() -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(1000))}), buffer)
    data = buffer.getvalue()
    for size in (1, 7, None):
        assert judge("parquet", data, size)[:2] == ("ok", "parquet")
        for cut in (3, 4, 11, len(data) // 2, len(data) - 4, len(data) - 1):
            assert judge("parquet", data[:cut], size)[0] == "TruncatedDownloadError"
    assert judge("parquet", b"x" * 50)[0] == "UnexpectedResponseError"


def judge_gzip(data: bytes, cuts: list[int]) -> str:
    return verdict(gzip_check(), cut_at(data, cuts))[0]
