"""Gzip, zip and Parquet: complete files pass, cut and damaged ones are said where nothing else proves them."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import TruncatedDownloadError
from airflow_provider_batchdl.transfer.content import Content, containers
from airflow_provider_batchdl.transfer.content.containers import ZipCheck
from airflow_provider_batchdl.transfer.content.parquet import ParquetCheck, rows_of
from tests.transfer.content.strategies import sizes
from tests.transfer.content.verdicts import cut_at, in_steps, judged, report_of, report_on


@pytest.fixture(params=["isal", "zlib"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with the extra `fast`, and without."""
    library = pytest.importorskip("isal.isal_zlib") if request.param == "isal" else zlib
    monkeypatch.setattr(containers, "fastest", library)


@pytest.mark.usefixtures("decoder")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), st.integers(0, 5), st.sampled_from([1, 7, None]))
def test_gzip_members(members: list[bytes], padding: int, step: int | None) -> None:
    data = b"".join(gzip.compress(member) for member in members)
    assert judged("x.gz", data + b"\0" * padding, step=step) == "own"
    assert judged("x.gz", data[:-1], step=step) == "TruncatedDownloadError"


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("at", [-1, -6, 30])
def test_damaged_gzip(at: int) -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 4))
    data[at] ^= 1
    assert judged("x.gz", bytes(data)) == "ChecksumMismatchError"


@pytest.mark.usefixtures("decoder")
def test_rows_of_a_proven_gzip_file_are_counted_where_that_is_asked_for() -> None:
    packed = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b'"3\n",4\n')
    asked = partial(Content, None, "x.csv.gz", proven=True, count_gzip_rows=True)
    for step in (1, 5, len(packed)):
        found = report_of(asked(), in_steps(packed, step))
        assert (found.word, found.rows, found.error) == ("gzip", 2, None)
    assert report_on("x.csv.gz", packed, proven=True).rows is None
    # Proven bytes land, whatever they are.
    cut, text = report_of(asked(), [packed[:-3]]), report_of(asked(), [b"a,b\n1,2\n"])
    assert (cut.rows, type(cut.error)) == (None, TruncatedDownloadError)
    assert (text.rows, text.error) == (None, None)


def test_a_small_bomb_costs_little() -> None:
    packed = gzip.compress(b"[" + b"0," * 5_000_000 + b"0]")
    assert report_on("x.json.gz", packed, proven=False).rows == 5_000_001


@pytest.mark.parametrize(
    ("inner", "rows"), [(b"a,b\n1,2\n", 1), (b'a,b\n1,"2', None), (b"a,b\n1", 1), (b"", 0), (b"\xff\xfe\x00\n", None)]
)
def test_what_is_inside_is_judged_as_if_it_were_proven(inner: bytes, rows: int | None) -> None:
    found = report_on("x.csv.gz", gzip.compress(inner), proven=False)
    assert (found.word, found.rows, found.end) == ("gzip", rows, "own")


@given(st.binary(max_size=300), st.binary(max_size=40), sizes, st.data())
def test_zip(content: bytes, comment: bytes, cuts: list[int], data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", content)
        archive.comment = comment
    whole = buffer.getvalue()
    assert report_of(ZipCheck(), cut_at(whole, cuts)).end == "own"
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert judged("x.zip", cut) == "TruncatedDownloadError"


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("inner", [zipped(), zipped(("a.csv", b"a,b\n"))], ids=["empty", "one file"])
def test_a_zip_that_is_cut_where_a_zip_inside_it_ends(inner: bytes) -> None:
    whole = zipped(("inner.zip", inner), ("b.csv", b"c,d\n"))
    assert judged("x.zip", whole) == "own"
    assert judged("x.zip", whole[: whole.index(inner) + len(inner)]) == "TruncatedDownloadError"


@pytest.mark.parametrize("padding", [0, 12])
def test_zip64(monkeypatch: pytest.MonkeyPatch, padding: int) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    whole = zipped(("a.csv", b"a,b\n"), ("b.csv", b"c,d\n"))
    at = whole.index(b"PK\x06\x06")
    if padding:  # the record may have more than its usual 56 bytes
        size = (44 + padding).to_bytes(8, "little")
        whole = whole[: at + 4] + size + whole[at + 12 : at + 56] + bytes(padding) + whole[at + 56 :]
    assert judged("x.zip", whole) == "own"
    commented = whole[:-2] + (0xFFFF).to_bytes(2, "little") + b"x" * 0xFFFF
    assert judged("x.zip", commented) == "own"
    outer = zipped(("inner.zip", whole))
    assert judged("x.zip", outer) == "own"
    assert judged("x.zip", outer[: outer.index(whole) + len(whole)]) == "TruncatedDownloadError"


def parquet(rows: int, **options: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    table = pa.table({"a": list(range(rows)), "b": [{"c": [str(n)], "d": {"e": 1.5}} for n in range(rows)]})
    pq.write_table(table.replace_schema_metadata({"k": "v" * 300}), buffer, **options)
    return buffer.getvalue()


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(0, 3000),
    options=st.fixed_dictionaries(
        {
            "version": st.sampled_from(["1.0", "2.4", "2.6"]),
            "compression": st.sampled_from(["none", "snappy", "gzip", "zstd"]),
            "row_group_size": st.sampled_from([10, 1000, 100_000]),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "write_statistics": st.booleans(),
        }
    ),
    step=st.sampled_from([1, 7, 1000, None]),
)
def test_parquet_has_the_rows_that_pyarrow_wrote(rows: int, options: dict[str, Any], step: int | None) -> None:
    data = parquet(rows, **options)
    for proven in (True, False):
        found = report_on("x.parquet", data, proven=proven, step=step)
        assert (found.word, found.rows, found.end) == ("parquet", rows, "own")


def test_cut_parquet() -> None:
    data = parquet(1000)
    for cut in (1, 3, 4, 11, len(data) // 2, len(data) - 4, len(data) - 1):
        assert judged("x.parquet", data[:cut]) == "TruncatedDownloadError"
        assert report_on("x.parquet", data[:cut], proven=True).word is None
    assert judged("x.parquet", b"x" * 50) == "UnexpectedResponseError"


def test_a_large_footer_is_not_held() -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"k": "v" * (2 << 20)}), buffer)
    found = report_of(ParquetCheck(), [buffer.getvalue()])
    assert (found.word, found.rows) == ("parquet", None)


@given(st.binary(max_size=200))
def test_a_footer_of_anything_is_no_crash(footer: bytes) -> None:
    found = rows_of(footer)
    assert found is None or found >= 0


def test_a_footer_that_claims_endless_lists_is_no_work() -> None:
    assert rows_of(b"\x19\xf1" + b"\xff" * 8 + b"\x7f") is None
