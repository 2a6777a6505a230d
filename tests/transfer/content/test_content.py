"""Pages and error messages, content that is not what its name says, and what is worth what."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.formats import format_of
from airflow_provider_batchdl.transfer.content.head import SMALL
from tests.transfer.content.strategies import NO_PAGES, OTHER_XML, PAGES
from tests.transfer.content.verdicts import judged, report_on

NAMES = ["x.csv", "x.json", "x.jsonl", "x.parquet", "x.zip", "x.csv.gz", "x.xml", "x.txt", "x.bin", None]
WAYS: list[tuple[str | None, int | None]] = [("x.csv", 1), ("x.csv", 1000), *((name, None) for name in NAMES)]
"""In pieces by one name, whole by all."""


@pytest.mark.parametrize(
    ("content_type", "filename", "name"),
    [
        ("application/json; charset=utf-8", None, "json"),
        ("application/problem+json", None, "json"),
        ("application/x-ndjson", "x.json", "jsonl"),
        ("application/octet-stream", "a/b.JSONL", "jsonl"),
        ("text/csv", "x.parquet", "parquet"),
        ("TEXT/CSV", None, "csv"),
        (None, "x.tsv", "csv"),
        (None, "x.csv.gz", "gzip"),
        ("application/zip", "x", "zip"),
        ("text/plain", "x.txt", None),
        (None, "x.csv.BZ2", "bzip2"),
        ("application/x-xz", None, "xz"),
        ("text/csv", "x.zst", None),
        ("application/pdf", "x.pdf", None),
        (None, None, None),
    ],
)
def test_format_of(content_type: str | None, filename: str | None, name: str | None) -> None:
    found = format_of(content_type, filename)
    assert (found and found.name) == name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_or_a_stores_error_is_refused_whatever_it_is_called(page: bytes) -> None:
    for proven, (name, step) in itertools.product((True, False), WAYS):
        with pytest.raises(UnexpectedResponseError, match="login page"):
            report_on(name, page, proven=proven, step=step)


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("other", OTHER_XML)
def test_a_picture_or_a_feed_is_refused_where_it_is_no_xml_that_is_wanted(other: bytes, proven: bool) -> None:
    for name in ("x.csv", "x.json", "x.jsonl"):
        with pytest.raises(UnexpectedResponseError, match="login page"):
            report_on(name, other, proven=proven)
        with pytest.raises(UnexpectedResponseError, match="login page"):
            report_on(f"{name}.gz", gzip.compress(other), proven=proven)
    for wanted in ("x.xml", "x.svg", None):
        report_on(wanted, other, proven=proven)
    report_on("x.svg.gz", gzip.compress(other), proven=proven)


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("nothing", [b"null", b"false\n", b"\ntrue"])
def test_nothing_in_json_is_no_table(nothing: bytes, proven: bool) -> None:
    with pytest.raises(UnexpectedResponseError, match="login page"):
        report_on("x.csv", nothing, proven=proven)
    for name in ("x.json", "x.jsonl", "x.txt", None):
        report_on(name, nothing, proven=proven)
    assert report_on("x.csv", nothing.strip() + b",b\n1,2\n", proven=proven).rows == 1


@pytest.mark.parametrize("other", NO_PAGES)
def test_nothing_else_is_refused_where_the_bytes_are_proven(other: bytes) -> None:
    for name, step in WAYS:
        report_on(name, other, proven=True, step=step)


def test_a_page_behind_a_long_comment_is_refused_before_it_is_all_there() -> None:
    with pytest.raises(UnexpectedResponseError, match="login page"):
        report_on("x.csv", b"<!--" + b" " * 50_000 + b"--><html>" + b" " * 20_000, proven=True)


def test_many_comments_are_read_in_no_time() -> None:
    began = time.monotonic()
    report_on("x.xml", b"<!-- x -->\n" * 25 + b"<report/>", proven=True)
    assert time.monotonic() - began < 10  # each two more took four times as long


def test_a_page_is_no_error_where_a_page_is_wanted() -> None:
    for page in PAGES:
        assert report_on("x.html", page, proven=True).rows is None
        assert report_on("x.html.gz", gzip.compress(page), proven=True).rows is None


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("name", ["x.csv.gz", "x.gz", "x.csv", "x.bin", None])
def test_a_packed_page_is_a_page(name: str | None, proven: bool) -> None:
    """A server packed it, and the result's own name says that the result is packed."""
    for page in PAGES:
        with pytest.raises(UnexpectedResponseError, match="login page"):
            report_on(name, gzip.compress(page), proven=proven)
    found = report_on(name, gzip.compress(b'{"error": "no"}'), proven=proven)
    assert found.members == {"error": "no"}
    for cut in range(1, 30):
        assert report_on(name, gzip.compress(b"a,b\n1,2\n")[:cut], proven=True).members == {}


@pytest.mark.parametrize(
    "text",
    [
        b'{"error": "no", "code": 5}',
        b'\xef\xbb\xbf\n{\n  "error": "no",\n  "code": 5\n}\n',
        '{"error": "no", "code": 5}'.encode("utf-16"),
        '\n{"error": "no", "code": 5}'.encode("utf-16-le"),
        '{"error": "no", "code": 5}'.encode("utf-16-be"),
        '{"error": "no", "code": 5}'.encode("utf-32"),
        b'{"error": "no", "code": 5}\n\0\0',
    ],
)
def test_a_small_object_is_shown_to_the_vendor_whatever_it_is_called(text: bytes) -> None:
    for name, step in WAYS:
        assert report_on(name, text, proven=True, step=step).members == {"error": "no", "code": 5}


def test_an_error_object_is_shown_to_the_vendor_whatever_its_words_are_encoded_in() -> None:
    text = '{"error": "No existe la exportación"}'
    assert report_on("x.csv", text.encode("latin-1"), proven=True).members.keys() == {"error"}


@pytest.mark.parametrize(
    "text",
    [
        b'{"error": "no"}\n{"error": null}\n',
        b'[{"error": "no"}]',
        b"error,message\n1,2\n",
        b"{not JSON}",
    ],
)
def test_a_result_that_speaks_of_errors_is_none(text: bytes) -> None:
    for name in ("x.jsonl", "x.csv", None):
        assert report_on(name, text, proven=True).members == {}


LARGE = "x" * 2 * SMALL
OBJECTS: list[dict[str, Any]] = [
    {"error": "no", "trace": LARGE},
    {"trace": LARGE, "error": {"code": 5, "message": "no"}},
    {"detail": [{"loc": ["body", 5], "msg": "field required", "type": "missing"}] * 5_000},
    {"message": "no", "errors": {"property_ids": ["is invalid"] * 20_000}},
]


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: str(value)[:20])
def test_a_large_object_is_shown_to_the_vendor_whatever_it_is_called(
    value: dict[str, Any], indent: int | None, proven: bool
) -> None:
    data = json.dumps(value, indent=indent).encode()
    for name, step in (*((name, SMALL) for name in NAMES), ("x.json", 4_001), ("x.csv", 4_001), ("x.csv", None)):
        found = report_on(name, b"\xef\xbb\xbf" + data, proven=proven, step=step)
        assert found.members.keys() == value.keys()
        assert all(found.members.values())


@pytest.mark.parametrize(
    "data",
    [
        b'{"error": "no"}\n{"error": "no"}\n' * SMALL,
        b'{"error": "%s"}\n{"error": "no"}\n' % (b"x" * 3 * SMALL),
        b'{"error": "no", "trace": "%s' % (b"x" * 3 * SMALL),
        b'{"error": "no", "trace": "%s"}' % (b"x" * 5_000_000),
        b'{"error": "no"} and other text' + b"x" * 3 * SMALL,
        b'{ "a,b" }\n' + b"1\n" * 3 * SMALL,
    ],
    ids=lambda data: str(data)[:40],
)
def test_what_is_large_and_no_object_has_no_members(data: bytes) -> None:
    for name, step in (*((name, 1 << 20) for name in NAMES), ("x.csv", 4_001), ("x.json", 4_001)):
        assert report_on(name, data, proven=True, step=step).members == {}


FOREIGN = [
    b"PK\x03\x04" + bytes(50),
    gzip.compress(b"a\nb\n", mtime=0),
    b"PAR1\x15\x04xx\n\nPAR1",
    b"%PDF-1.7\n1\n2\n",
    b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le"),
    b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"),
    "a,b\n1,2\n".encode("utf-16-le"),
    b"a,b\n1\x00,2\n",
]


@pytest.mark.parametrize(
    "data", [*FOREIGN, b'[{"a": 1},\n{"a": 2}]\n', b'{"a": 1}\n{"a": 2}\n', b"<?xml version='1.0'?>\n<a/>\n"]
)
def test_foreign_content_of_a_table_only_takes_the_word_and_the_rows(data: bytes) -> None:
    found = report_on("x.csv", data, proven=True)
    assert (found.word, found.rows, found.error) == (None, None, None)


@pytest.mark.parametrize("data", FOREIGN)
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_foreign_content_of_json_only_takes_the_word_and_the_rows(data: bytes, name: str) -> None:
    found = report_on(name, data, proven=True)
    assert (found.word, found.rows) == (None, None)


@pytest.mark.parametrize("name", ["x.csv.gz", "x.gz", "x.zip", "x.bin", "x.txt", "x.pdf", None])
def test_what_proven_bytes_are_not_looked_into_for(name: str | None) -> None:
    found = report_on(name, gzip.compress(b"a,b\n1,2\n", mtime=0), proven=True)
    assert (found.word, found.rows, found.error) == (None, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_an_empty_result_where_something_says_so(name: str | None) -> None:
    found = report_on(name, b"", proven=True)
    assert found.word is None
    assert not found.rows
    assert judged(name or "", b"") == "TruncatedDownloadError"


@pytest.mark.parametrize(
    ("name", "data", "worth"),
    [
        ("x.json", b"[1]", "own"),
        ("x.json", b'"x"', "own"),
        ("x.json", b"12", "read-twice"),
        ("x.json", b'{"a":1}\n{"a":2}', "read-twice"),
        ("x.json", b'{"a":NaN}', "read-twice"),
        ("x.json", b'{"a":1', "TruncatedDownloadError"),
        ("x.json", b"[1] x", "UnexpectedResponseError"),
        ("x.jsonl", b"1\n23\n", "read-twice"),
        ("x.jsonl", b'{\n"a": 1\n}\n', "read-twice"),
        ("x.jsonl", b'{"a": "\xe9"}\n', "read-twice"),
        ("x.jsonl", b'{"a": 1}\n{"a"', "TruncatedDownloadError"),
        ("x.csv", b"a,b\n1,2\n", "read-twice"),
        ("x.csv", b"a,b\n1,2", "read-twice"),
        ("x.csv", b'a,b\n1,"2', "TruncatedDownloadError"),
        ("x.csv", b"a,b\n1", "TruncatedDownloadError"),
        ("x.csv", b'"a', "TruncatedDownloadError"),
        ("x.txt", b"anything", "read-twice"),
        ("x", b"anything", "read-twice"),
        ("x.csv", b'{"a": 1}', "read-twice"),
        ("x.bin", bytes(100), "refused"),
        ("x.gz", b"anything", "UnexpectedResponseError"),
        ("x.zip", b"PK", "TruncatedDownloadError"),
        ("x.bin", gzip.compress(b"x", mtime=0), "own"),
        ("x.csv", gzip.compress(b"x", mtime=0)[:-1], "TruncatedDownloadError"),
    ],
)
def test_what_an_end_is_worth_where_nothing_else_proves_the_file(name: str, data: bytes, worth: str) -> None:
    for step in (1, None):
        assert judged(name, data, step=step) == worth
