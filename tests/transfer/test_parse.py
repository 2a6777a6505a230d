"""Small results as Python values."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnexpectedResponseError, UnstorableResultError
from airflow_provider_batchdl.transfer.parse import parse_result

MOST = 1 << 20
scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=10
)


def parsed(data: bytes | str, filename: str | None = None, content_type: str | None = None) -> object:
    raw = data.encode() if isinstance(data, str) else data
    return parse_result(raw, content_type=content_type, filename=filename, max_bytes=MOST)


@given(values)
def test_json(value: Any) -> None:
    data = json.dumps(value).encode()
    assert parsed(data, "x.json") == value
    assert parsed(b"\xef\xbb\xbf" + data, None, "application/json; charset=utf-8") == value
    assert parsed(gzip.compress(data), "x.json.gz", "application/gzip") == value


@given(st.lists(st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3), min_size=2, max_size=5))
def test_json_lines_by_any_name(rows: list[Any]) -> None:
    data = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("utf-8", "surrogatepass")
    for name in ("x.jsonl", "x.ndjson", "x.json", None):
        for ending in (b"", b"\n", b"\r\n\n"):
            assert parsed(data + ending, name) == rows


def test_no_json_lines() -> None:
    assert parsed("", "x.jsonl") == []


@pytest.mark.parametrize("name", ["x.json", "x", None, "x.json.gz", "x.jsonl"])
@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"a": 2}]])
def test_what_a_vendor_says_to_be_lines_is_a_list_however_many_there_are(name: str | None, rows: list[Any]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for data in (lines, json.dumps(rows, indent=1).encode() if name != "x.jsonl" else lines):
        packed = gzip.compress(data) if (name or "").endswith(".gz") else data
        found = parse_result(packed, content_type=None, filename=name, max_bytes=MOST, expected="jsonl")
        assert found == rows


def test_what_a_vendor_says_goes_behind_what_the_file_says() -> None:
    assert parse_result(b"a\n[1]\n", content_type=None, filename="x.csv", max_bytes=MOST, expected="jsonl") == [
        {"a": "[1]"}
    ]
    assert parse_result(b"[a\n1\n", content_type=None, filename="x", max_bytes=MOST, expected="csv") == [{"[a": "1"}]
    with pytest.raises(UnstorableResultError, match="pdf"):
        parse_result(b"x", content_type=None, filename="x.pdf", max_bytes=MOST, expected="csv")


def test_the_delimiter_is_not_counted_inside_quotes() -> None:
    assert parsed('"a, b, c";d\n1;2\n', "x.csv") == [{"a, b, c": "1", "d": "2"}]


@pytest.mark.parametrize(
    ("data", "name", "media"),
    [
        (b"%PDF-1.7 ...", None, None),
        (b"words", "report.pdf", None),
        (b"words", None, "application/pdf"),
        (b"words", "x.xlsx", None),
        (b"words", "x", "image/png"),
        (b"PK\x03\x04", "x.csv", "text/csv"),
        (b"BZh91AY&SY", "x.json", None),
        (b"words", None, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_what_is_no_text_wants_a_destination(data: bytes, name: str | None, media: str | None) -> None:
    with pytest.raises(UnstorableResultError, match="Set a destination"):
        parsed(data, name, media)


@pytest.mark.parametrize("names", [[f"c{n}" for n in range(20_000)], ["same"] * 20_000, [""] * 20_000])
def test_many_columns_are_no_work(names: list[str]) -> None:
    began = time.thread_time()
    (row,) = cast(list[dict[str, str]], parsed(",".join(names) + "\n" + ",".join("1" * len(names)), "x.csv"))
    assert len(row) == len(names)
    assert time.thread_time() - began < 5  # each with each is minutes


def test_csv() -> None:
    text = '\ufeffemail,status\r\n"a@x.example","Valid, ""really"""\r\n\r\nb@x.example,"two\nlines"\r\n'
    assert parsed(text, "x.csv") == [
        {"email": "a@x.example", "status": 'Valid, "really"'},
        {"email": "b@x.example", "status": "two\nlines"},
    ]
    assert parsed("a;b\n1;2\n", None, "text/csv") == [{"a": "1", "b": "2"}]
    assert parsed("a\tb\n1\t2\n", "x.tsv") == [{"a": "1", "b": "2"}]
    assert parsed(gzip.compress(b"a\n1\n"), "x.csv.gz") == [{"a": "1"}]
    assert parsed(gzip.compress(b"a\n1\n"), "x.gz", "text/csv") == [{"a": "1"}]
    for name in ("x.gz", "x", None):
        assert parsed(gzip.compress(b"a\n1\n"), name, "application/gzip") == [{"a": "1"}]


def test_csv_headers_that_collide() -> None:
    assert parsed("a,,a,a_2,_rest\n1,2,3,4,5,6,7\n1\n", "x.csv") == [
        {"a": "1", "column_2": "2", "a_2": "3", "a_2_2": "4", "_rest_2": "5", "_rest": ["6", "7"]},
        {"a": "1", "column_2": None, "a_2": None, "a_2_2": None, "_rest_2": None},
    ]


def test_csv_without_records() -> None:
    assert parsed("a,b\n", "x.csv") == []
    assert parsed("", "x.csv") == []


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2, max_size=2)
    )
)
def test_csv_round_trip(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    assert parsed(text.getvalue(), "x.csv") == [{"a": first, "b": second} for first, second in rows]


def test_a_field_above_the_limit() -> None:
    limit = csv.field_size_limit()
    with pytest.raises(UnstorableResultError, match="Set a destination"):
        parsed("a\n" + "x" * (limit + 1), "x.csv")
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("text", ['a,b\n"1,2\n3,4', 'a,b\n1,2\n"3,4', 'a\n1\n"2\n3'])
def test_a_quote_that_stays_open_is_no_row(text: str, end: str) -> None:
    """Python makes one field of all that follows: rows would be lost without a word."""
    with pytest.raises(UnstorableResultError, match="a quote is not closed"):
        parsed(text + end, "x.csv")


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('a,b\n1,"2\n"\n', "2\n"),
        ('a,b\n1,"2,3"', "2,3"),
        ('a,b\n1,"2,3" \n', "2,3 "),
        ('a,b\n1,2"\n', '2"'),
        ('a\n"x""\n"\n\n', 'x"\n'),
    ],
)  # fmt: skip
def test_a_quote_that_is_closed_is_one(text: str, last: str) -> None:
    rows: Any = parsed(text, "x.csv")
    assert list(rows[-1].values())[-1] == last


def test_undeclared() -> None:
    assert parsed('{"a": 1}') == {"a": 1}
    assert parsed("a,b\n1,2", "x.txt", "text/plain") == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (b"<!doctype html>", "x.csv"),
        (b"<html>", None),
        (b'{"a": ', "x.json"),
        (b'{"a": 1} junk', "x.json"),
        (b'{"a": 1}\njunk', "x.jsonl"),
        (b"not gzip", "x.csv.gz"),
        (gzip.compress(b"a", mtime=0)[:-3], "x.csv.gz"),
    ],
)
def test_refused(data: bytes, filename: str | None) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        parsed(data, filename)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (b"[" * 100_000, "x.json"),
        (b"[" * 100_000, "x.jsonl"),
        (b"[" + b"9" * 5_000 + b"]", "x.json"),
        (b"PAR1....PAR1", "x.parquet"),
        (b"PAR1\x15\0..PAR1", None),
        (b"<report><row>1</row></report>", "x.xml"),
        (b"<?xml version='1.0'?>\n<report/>", None),
        (gzip.compress(b"<report/>", mtime=0), "x.xml.gz"),
        (b"PK\x03\x04", "x.zip"),
        (b"PK\x03\x04", None),
        (b"\xff\xfe\x00", "x.csv"),
        (b"\xff\xfe\x00", None),
        (gzip.compress(b"PAR1", mtime=0), "x.parquet.gz"),
        ("a,b\n1,2\n".encode("utf-16"), "x.csv"),
        ("a,b\n1,2\n".encode("utf-16-le"), "x.csv"),
        ('[{"a": 1}]'.encode("utf-16-le"), "x.json"),
        (gzip.compress('{"a": 1}\n'.encode("utf-16-be"), mtime=0), "x.jsonl.gz"),
        (b"a,b\n1\0,2\n", "x.csv"),
        (b"a,b\n1\0,2\n", None),
        (b'{"a": 1}\n\0\0', "x.jsonl"),
    ],
)
def test_what_no_retry_turns_into_values(data: bytes, filename: str | None) -> None:
    with pytest.raises(UnstorableResultError, match="Set a destination") as caught:
        parsed(data, filename)
    assert not caught.value.retryable


@pytest.mark.parametrize("charset", ["latin-1", "ISO-8859-15", "windows-1252", "utf-16", "utf-16-be", "UTF-8"])
def test_text_is_decoded_as_it_is_declared(charset: str) -> None:
    data = "name;città\nZoë;Forlì\n".encode(charset)
    expected = [{"name": "Zoë", "città": "Forlì"}]
    assert parsed(data, "x.csv", f"text/csv; header=present; charset={charset}") == expected
    assert parsed(data, None, f'text/csv;charset="{charset}"') == expected
    assert parsed(gzip.compress(data), "x.csv.gz", f"text/csv; charset={charset}") == expected
    assert parsed('["é"]'.encode(charset), "x.json", f"application/json; charset={charset}") == ["é"]


@pytest.mark.parametrize("charset", ["latin-1", "windows-1252", "no-such-charset", "base64", "ascii"])
def test_utf_8_is_read_as_such_where_another_charset_is_declared_by_default(charset: str) -> None:
    assert parsed("città\nForlì\n", "x.csv", f"text/csv; charset={charset}") == [{"città": "Forlì"}]


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "hex"])
def test_what_no_text_is_served_in_is_not_decoded(charset: str) -> None:
    """A megabyte of Punycode takes Python more than a minute."""
    text = "a\\u0041,+AGE-,xn--bcher-kva"
    assert parsed(text + "\n1,2,3\n", "x.csv", f"text/csv; charset={charset}") == [
        dict(zip(text.split(","), "123", strict=True))
    ]


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"%PDF-1.4", b"a,b\n1\0,2\n"])
def test_a_declared_charset_makes_no_text_of_a_binary(data: bytes) -> None:
    with pytest.raises(UnstorableResultError):
        parsed(data, "x.csv", "text/csv; charset=latin-1")


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", '"sep=;"\r\n', "\ufeffsep=;\n"])
def test_excels_first_line_names_the_delimiter(first: str) -> None:
    assert parsed(first + "a,b,c;d\n1,2;3\n", "x.csv") == [{"a,b,c": "1,2", "d": "3"}]
    assert parsed(first, "x.csv") == []
    assert parsed("sep=,b\n1,2\n", "x.csv") == [{"sep=": "1", "b": "2"}]


def test_a_small_bomb() -> None:
    assert parsed(gzip.compress(b"[" + b" " * (MOST - 2) + b"]"), "x.json.gz") == []
    with pytest.raises(ResultTooLargeError, match="1,048,576 bytes"):
        parsed(gzip.compress(b"[" + b" " * (MOST - 1) + b"]"), "x.json.gz")


def test_messages_show_no_values() -> None:
    for name in ("x.json", "x.jsonl"):
        with pytest.raises(UnexpectedResponseError) as caught:
            parsed('{"email": ann@corp.example}', name)
        assert "ann" not in str(caught.value)
