"""The table of formats: each row works, and a compressed format needs nothing but its row."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from functools import partial

import pytest

from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnexpectedResponseError, UnstorableResultError
from airflow_provider_batchdl.transfer.content import Content
from airflow_provider_batchdl.transfer.content.formats import FORMATS, Format, by_suffix
from airflow_provider_batchdl.transfer.parse import parse_result
from airflow_provider_batchdl.transfer.source.decoding import is_stored_coded
from airflow_provider_batchdl.transfer.source.filenames import part_name
from tests.transfer.content.verdicts import in_steps, judged, report_of, report_on

CSV = b"a,b\n1,2\n3,4\n"
COMPRESSED = [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.suffixes[0])
def test_what_a_row_names_can_be_made(row: Format) -> None:
    if row.check is not None:
        row.check(proven=True, records=False).finish()
    if row.parse is not None:
        row.parse("[]")
    if row.decompressor is not None:
        assert not row.decompressor().eof


def test_no_two_rows_share_a_suffix_a_type_or_the_beginning_of_a_file() -> None:
    for values in ("suffixes", "types", "magic"):
        every = [value for row in FORMATS for value in getattr(row, values)]
        assert len(every) == len(set(every))
    magic = [value for row in FORMATS for value in row.magic]
    assert not [(one, other) for one in magic for other in magic if one != other and one.startswith(other)]


@pytest.mark.parametrize("word", ["PARENT_ID", "PARE", "PAR1", "BZh", "BZh9", "Rar!", "PK"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_whose_header_begins_with_the_mark_of_a_binary_format_is_a_table(word: str, end: str) -> None:
    table = end.join([f"{word},NAME", *(f"{number},\u00e9" for number in range(40)), ""]).encode()
    assert report_on("x.csv", table, proven=True).rows == 40
    assert (report_on("x.csv", table, proven=False).rows, judged("x.csv", table)) == (40, "read-twice")
    parsed = parse_result(table, content_type="text/csv", filename=None, max_bytes=1 << 20)
    assert parsed == [{word: str(number), "NAME": "\u00e9"} for number in range(40)]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSED)
class TestCompressed:
    def test_it_proves_itself_by_its_own_end(self, suffix: str, compress: Callable[[bytes], bytes]) -> None:
        name, row = f"x.csv.{suffix}", by_suffix(suffix)
        assert row is not None
        whole = compress(CSV) + compress(CSV)
        for step in (1, 7, None):
            found = report_on(name, whole, proven=False, step=step)
            assert (found.word, found.rows, found.end) == (row.name, 5, "own")  # the second header is a row here
        assert judged(name, whole[:-1]) == "TruncatedDownloadError"
        damaged = bytearray(compress(bytes(range(256)) * 40))
        damaged[len(damaged) // 2] ^= 1
        assert judged(name, bytes(damaged)) in ("ChecksumMismatchError", "TruncatedDownloadError")
        assert judged(name, b"a,b\n1,2\n") == "UnexpectedResponseError"

    def test_its_rows_are_counted_where_that_is_asked_for(
        self, suffix: str, compress: Callable[[bytes], bytes]
    ) -> None:
        asked = partial(Content, None, f"x.csv.{suffix}", proven=True, count_gzip_rows=True)
        assert report_of(asked(), in_steps(compress(CSV), 5)).rows == 2
        assert report_on(f"x.csv.{suffix}", compress(CSV), proven=True).rows is None

    def test_a_bomb_costs_little(self, suffix: str, compress: Callable[[bytes], bytes]) -> None:
        packed = compress(b"[" + b"0," * 500_000 + b"0]")
        assert report_on(f"x.json.{suffix}", packed, proven=False).rows == 500_001
        with pytest.raises(ResultTooLargeError, match="1,000 bytes"):
            parse_result(packed, content_type=None, filename=f"x.json.{suffix}", max_bytes=1000)

    def test_it_becomes_values(self, suffix: str, compress: Callable[[bytes], bytes]) -> None:
        parsed = partial(parse_result, content_type=None, max_bytes=1 << 20)
        rows = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
        assert parsed(compress(CSV), filename=f"x.csv.{suffix}") == rows
        assert parsed(compress(CSV), filename=f"x.CSV.{suffix.upper()}") == rows
        for data in (compress(CSV)[:-3], b"no such thing"):
            with pytest.raises(UnexpectedResponseError, match=r"declared as \w+ but"):
                parsed(data, filename=f"x.csv.{suffix}")

    def test_its_suffix_comes_behind_that_of_what_is_inside(
        self, suffix: str, compress: Callable[[bytes], bytes]
    ) -> None:
        assert part_name(f"x.csv.{suffix}", 1) == f"x-part-0001.csv.{suffix}"


def test_a_file_that_is_of_its_content_coding_itself() -> None:
    assert is_stored_coded("x.csv.gz", ("gzip",))
    assert is_stored_coded("x.TGZ", ("gzip",))
    assert is_stored_coded("x.zst", ("zstd",))
    assert not is_stored_coded("x.csv", ("gzip",))
    assert not is_stored_coded("x.csv.gz", ("zstd",))


@pytest.mark.parametrize("suffix", ["gpg", "pgp", "asc", "age", "enc", "snappy", "7z", "lzma", "rar"])
def test_a_table_that_is_wrapped_in_what_is_not_read_has_no_rows(suffix: str) -> None:
    for name in (f"x.csv.{suffix}", f"x.json.{suffix.upper()}"):
        found = report_on(name, b"\x85\x02,\n1,2\n", proven=True, media="text/csv")
        assert (found.word, found.rows) == (None, None)
        with pytest.raises(UnstorableResultError, match="Set a destination"):
            parse_result(b"\x85\x02,\n", content_type="text/csv", filename=name, max_bytes=99)


def test_junk_behind_a_gzip_file_is_not_parsed() -> None:
    data = gzip.compress(CSV) + gzip.compress(b"5,6\n")
    for junk in (b"", b"\n", b"\r\n", bytes(99)):
        found = parse_result(data + junk, content_type=None, filename="x.csv.gz", max_bytes=1 << 20)
        assert isinstance(found, list)
        assert len(found) == 3
