"""CSV: rows and ends as Python's `csv` has them, in any chunking and whatever a block holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.content import base, delimited
from airflow_provider_batchdl.transfer.content.base import BLOCK, MOST, ContentReport
from airflow_provider_batchdl.transfer.content.delimited import CsvCheck, delimiter_of
from tests.transfer.content.strategies import as_csv, cells, sizes, tables
from tests.transfer.content.verdicts import cut_at, in_steps, judged, report_of, report_on, some


def read(data: bytes, delimiter: str | None = None) -> int:
    """Rows as `csv` has them, header and blank lines left out."""
    text = io.StringIO(data.decode("latin-1"), newline="")
    return max(0, sum(1 for record in csv.reader(text, delimiter=delimiter or delimiter_of(data)) if record) - 1)


def counted(data: bytes, *, step: int | None = None) -> int | None:
    return report_of(CsvCheck(), in_steps(data, step or max(1, len(data)))).rows


@contextmanager
def blocks_of(size: int) -> Iterator[None]:
    """Makes blocks small, and has none of them read by `csv` from the start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "BLOCK", size)
        patch.setattr(delimited, "SMALL", 0)
        yield


dialects = st.fixed_dictionaries(
    {
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        "delimiter": st.sampled_from(",;\t|"),
    }
)


@given(tables(), sizes, dialects)
def test_a_table_has_the_rows_that_were_written(table: list[list[str]], cuts: list[int], dialect: Any) -> None:
    # Its writer leaves a lone carriage return unquoted, and an empty line for a single empty field in some versions.
    body = [[cell if cell.isalnum() else f" {cell},\n" for cell in row] for row in table[1:]]
    data = as_csv([table[0], *body], **dialect)
    whole = report_of(CsvCheck(), cut_at(data, cuts))
    assert (whole.word, whole.rows, whole.error) == ("csv-end", len(table) - 1, None)
    bare = data.removesuffix(dialect["lineterminator"].encode())
    assert report_of(CsvCheck(), cut_at(bare, cuts)).rows == len(table) - 1


@given(st.lists(cells, max_size=30), sizes)
def test_any_text_has_the_rows_that_csv_reads_or_none(pieces: list[str], cuts: list[int]) -> None:
    data = "".join(pieces).encode()
    found = report_of(CsvCheck(), cut_at(data, cuts))
    assert found.rows in (read(data), None)
    assert (found.rows is None) == (found.error is not None and "quoted" in found.error.message)


@settings(max_examples=30)
@given(tables(), dialects)
def test_a_cut_is_refused_or_needs_a_second_reading(table: list[list[str]], dialect: Any) -> None:
    text = as_csv(table, **dialect)
    for cut in some(range(len(text))):
        assert judged("x.csv", text[:cut]) in {"TruncatedDownloadError", "read-twice", "refused"}


@pytest.mark.parametrize("block", [40, 64, 300])
@pytest.mark.parametrize("dialect", [{"lineterminator": "\n"}, {"lineterminator": "\r\n"}], ids=["LF", "CRLF"])
@given(
    rows=st.lists(st.lists(st.text(st.sampled_from('ab,"\n;'), max_size=5), min_size=3, max_size=3), max_size=40),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    cuts=sizes,
)
def test_block_by_block_the_rows_are_the_same(
    rows: list[list[str]], quoting: Any, cuts: list[int], block: int, dialect: dict[str, str]
) -> None:
    data = as_csv([["a", "b", "c"], *rows], quoting=quoting, **dialect)
    with blocks_of(block):
        assert report_of(CsvCheck(), cut_at(data, cuts)).rows == len(rows)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "line",
    [
        "{n},plain,x",
        '{n},"quoted, {n}",x',
        '"{n}","all","x"',
        '"{n}","a ""word""","x"',
        '"{n}","two{end}lines","x"',
        '"{n}","blank{end}{end}{end}lines","x"',
        '{n},"",""',
        '{n},5" pipe,x',
        '{n},"broken" quoting,x',
    ],
)
@pytest.mark.parametrize("every", [1, 2, 97])
def test_several_blocks(line: str, end: str, every: int) -> None:
    lines = [line.format(n=n, end=end) if n % every == 0 else f"{n},plain,x" for n in range(30_000)]
    lines[7_000:7_000] = ["", ""]
    data = end.join(["id,name,x", *lines, ""]).encode()
    assert len(data) > BLOCK
    for step in (1 << 20, 50_021):
        assert counted(data, step=step) == 30_000
    assert counted(data[:-1]) == 30_000
    assert counted(b"\xef\xbb\xbf" + data, step=7_777) == 30_000


def test_a_field_of_several_lines_that_a_block_ends_in_after_a_quote_that_is_text() -> None:
    """The first line has two quotes, and by their number alone none would be open behind it."""
    data = b"a,b,c,d,e\n" + b'1,5","x' + b" " * 14 + b'\ny"\n' + b"2,3,4,5,6\n" * 5
    assert read(data) == 6
    with blocks_of(32):
        assert counted(data) == 6


@pytest.mark.parametrize("step", [1, 2, 3, 5, None])
def test_quotes(step: int | None) -> None:
    data = b'a,b\n"x ""y"", z\nline",2\n5" pipe,3\n"",""\n"""","q"'
    assert counted(data, step=step) == 4
    assert judged("x.csv", data, step=step) == "read-twice"
    assert judged("x.csv", data[:-1], step=step) == "TruncatedDownloadError"
    assert judged("x.csv", data[:-4], step=step) == "TruncatedDownloadError"


@pytest.mark.parametrize("step", [1, 2, 3, 5, None])
def test_blank_lines_are_no_records(step: int | None) -> None:
    assert counted(b"\na,b\n1,2\n\n3,4\r\n\r\n", step=step) == 2
    assert counted(b"\r\n" * 300 + b"a,b\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n", step=step) == 2


@pytest.mark.parametrize("step", [1, None])
@pytest.mark.parametrize("first", [b"sep=;\n", b'"sep=;"\r\n', b"sep=;\r"])
def test_excels_first_line_is_no_record(first: bytes, step: int | None) -> None:
    end = b"\r" if first.endswith(b"\r") else b"\n"
    body = end.join([b"a,b;c;d", b'"1;";2;3', b"", b'"3' + end + b'";4;5', b""])
    for rows in (body, body * 10_000 if step is None else body):
        assert counted(first + rows, step=step) == counted(rows)
    assert counted(first, step=step) == 0
    assert judged("x.csv", first + b"a;b" + end + b"1;2", step=step) == "read-twice"
    assert judged("x.csv", first + b"a;b" + end + b"1", step=step) == "TruncatedDownloadError"


def test_header_alone() -> None:
    assert counted(b"a,b\n") == 0
    assert counted(b"a,b") == 0


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [(b"a,b;c,d\n", ","), (b'"a,b,c";d\n', ";"), (b'"a;\n;b"\tc\n', "\t"), (b"\r\n\na|b|c\n;;;;", "|"), (b"a\n", ",")],
)
def test_the_delimiter_is_counted_outside_of_quotes(header: bytes, delimiter: str) -> None:
    assert delimiter_of(header) == delimiter


def test_a_record_that_is_longer_than_is_held_leaves_the_rows_unknown() -> None:
    for data in (
        b"a" * (MOST + BLOCK + 1),
        b"a,b\n1," + b"x" * (MOST + 2 * BLOCK) + b"\n1,2\n",
        b'a,"' + b'"' * MOST * 2,
    ):
        found = report_of(CsvCheck(), in_steps(data, 1 << 20))
        assert found == ContentReport(end="open")


@pytest.mark.parametrize(
    "record",
    [
        b'5","x\ny",6"\n',
        b'5" pipe,"two\nlines",6" pipe\n',
        b'x","a,"\nb"c,d"e"\n',
        b'1,5","x\n',
    ],
)
def test_broken_quoting_that_no_odd_line_shows_is_counted_by_csv(record: bytes) -> None:
    """By their number alone the quotes of each of these lines are closed at its end."""
    data = b"a,b,c\n" + record * (2 * BLOCK // len(record)) + b"end\n"
    assert counted(data) in (read(data), None)
    assert counted(data, step=4_099) in (read(data), None)


@given(
    lines=st.lists(
        st.lists(st.sampled_from(["a", ",", "\r", "\r\n", "b,c"]), max_size=6).map("".join), min_size=1, max_size=60
    ),
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=60, max_size=60),
    block=st.sampled_from([8, 40, 64]),
)
def test_a_lone_carriage_return_ends_a_record_in_any_block(lines: list[str], ends: list[str], block: int) -> None:
    data = ("a,b\r\n" * 20 + "".join(line + end for line, end in zip(lines, ends, strict=False))).encode()
    with blocks_of(block):
        assert counted(data) == read(data)


@pytest.mark.parametrize("line", ["{n},a\rb\n", '{n},"a"b\rc\n'])
def test_a_lone_carriage_return_behind_blocks_of_pairs(line: str) -> None:
    pairs = "".join(f'{n},"x"\r\n' if '"' in line else f"{n},x\r\n" for n in range(40_000))
    data = f"id,a\r\n{pairs}{line.format(n=1)}".encode()
    assert counted(data) == read(data) == 40_002


def test_a_header_longer_than_is_read_condemns_no_last_record() -> None:
    header = b",".join(b"column_%d" % number for number in range(20_000))
    row = b"," * 19_999
    for proven in (True, False):
        found = report_on("x.csv", header + b"\n" + row, proven=proven)
        assert (found.word, found.rows, found.end, found.error) == (None, 1, "open", None)
        assert report_on("x.csv", header + b"\n" + row + b"\n", proven=proven).word == "csv-end"


def test_of_a_header_with_as_many_tabs_as_commas_the_tabs_count() -> None:
    assert delimiter_of(b"id\tcity, state\n") == "\t"
