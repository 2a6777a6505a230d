"""CSV: complete tables pass, a cut before the last field is told, in any chunking."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.content.base import HEAD
from airflow_provider_batchdl.transfer.content.delimited import CsvCheck
from tests.transfer.content.strategies import as_csv, sizes, tables
from tests.transfer.content.verdicts import chunked, judge, verdict


@given(
    tables(),
    sizes,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(",;\t|"),
)
def test_complete(table: list[list[str]], cuts: list[int], newline: str, quoting: Any, delimiter: str) -> None:
    quoted = [table[0], *([cell if cell.isalnum() else f" {cell}" for cell in row] for row in table[1:])]
    data = as_csv(quoted, lineterminator=newline, quoting=csv.QUOTE_ALL, delimiter=delimiter)
    assert verdict(CsvCheck(), chunked(data, cuts))[:3] == ("ok", "csv", len(table) - 1)
    assert verdict(CsvCheck(), chunked(data.removesuffix(newline.encode()), cuts))[:3] == (
        "ok",
        "csv",
        len(table) - 1,
    )
    if quoting != csv.QUOTE_ALL and delimiter == ",":
        plain = [[cell.strip().replace("\r", "") or "x" for cell in row] for row in table]
        plain = [[cell.translate(dict.fromkeys(map(ord, ";\t|"))) or "x" for cell in row] for row in plain]
        data = as_csv(plain, lineterminator=newline)
        assert verdict(CsvCheck(), chunked(data, cuts))[:3] == ("ok", "csv", len(table) - 1)


@given(tables(), sizes, st.data())
def test_a_cut_before_the_last_field_is_told(table: list[list[str]], cuts: list[int], data: st.DataObject) -> None:
    last = [f"v{number}" for number in range(len(table[0]))]
    text = as_csv([*table, last], lineterminator="\n", quoting=csv.QUOTE_ALL)
    tail = len(b",") + len(f'"{last[-1]}"\n')
    back = data.draw(st.integers(tail, len(as_csv([last], quoting=csv.QUOTE_ALL, lineterminator="\n")) - 1))
    assert verdict(CsvCheck(), chunked(text[:-back], cuts))[0] == "TruncatedDownloadError"


@pytest.mark.parametrize("size", [1, 2, 3, 5, None])
def test_quotes(size: int | None) -> None:
    data = b'a,b\n"x ""y"", z\nline",2\n5" pipe,3\n"",""\n"""","q"'
    assert judge("csv", data, size)[:3] == ("ok", "csv", 4)
    assert judge("csv", data[:-1], size)[0] == "TruncatedDownloadError"
    assert judge("csv", data[:-4], size)[0] == "TruncatedDownloadError"


@pytest.mark.parametrize("size", [1, 1000, None])
def test_several_slices(size: int | None) -> None:
    count = 2_000 if size == 1 else 40_000
    rows = [[str(n), f'name "{n}", etc\nmore', "x"] for n in range(count)]
    data = b"\xef\xbb\xbf" + as_csv([["id", "name", "x"], *rows], lineterminator="\r\n")
    assert judge("csv", data, size)[:3] == ("ok", "csv", count)
    assert judge("csv", data[: len(data) // 2], size)[0] in {"ok", "TruncatedDownloadError"}


def test_blank_lines_are_no_records() -> None:
    assert judge("csv", b"\na,b\n1,2\n\n3,4\r\n\r\n")[2] == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, None])
def test_blank_lines_are_none_wherever_the_bytes_are_cut(size: int | None) -> None:
    data = b"\r\n" * HEAD + b"a,b\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n"
    assert judge("csv", data, size)[:3] == ("ok", "csv", 2)


def test_header_alone() -> None:
    assert judge("csv", b"a,b\n")[2] == 0
    assert judge("csv", b"a,b")[2] == 0


def test_json_error_is_no_csv() -> None:
    assert judge("csv", b'{"error": "no"}\n')[0] == "UnexpectedResponseError"


def test_endless_lines_are_refused() -> None:
    assert judge("csv", b"a" * (5 << 20))[0] == "UnexpectedResponseError"
    assert judge("csv", b'a\n"' + b'"' * 200_000)[0] == "UnexpectedResponseError"
