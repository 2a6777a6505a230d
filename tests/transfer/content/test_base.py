"""What holds for every kind of content, and which check looks at which."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.exceptions import BatchDlError, TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content import check_for
from tests.transfer.content.verdicts import judge


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
        ("text/plain", "x.txt", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_check_for(content_type: str | None, filename: str | None, name: str) -> None:
    assert check_for(content_type, filename).name == name


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><p>", b" \n<html lang=en>", b'\xef\xbb\xbf<?xml version="1.0"?><Error>', b"<Error>"]
)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "zip", "gz"])
@pytest.mark.parametrize("size", [1, None])
def test_pages_are_refused(page: bytes, kind: str, size: int | None) -> None:
    assert judge(kind, page, size)[0] == "UnexpectedResponseError"


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "zip", "gz"])
def test_nothing_is_never_complete(kind: str) -> None:
    assert judge(kind, b"")[0] == "TruncatedDownloadError"


@pytest.mark.parametrize(
    ("kind", "text", "evidence"),
    [
        ("json", "[1]", "strong"),
        ("json", '{"a":1}\n{"a":2}', "line"),
        ("json", "12", "weak"),
        ("jsonl", "1\n23\n", "line"),
        ("jsonl", "1\n23", "weak"),
        ("jsonl", '1\n"x"', "line"),
        ("csv", "a,b\n1,2\n", "line"),
        ("csv", "a,b\n1,2", "weak"),
        ("csv", "a,b\n1,", "weak"),
        ("csv", 'a,b\n1,"2"', "line"),
    ],
)
def test_evidence(kind: str, text: str, evidence: str) -> None:
    check = check_for(None, f"x.{kind}")
    check.feed(text.encode())
    check.finish()
    assert check.evidence == evidence


def test_errors_are_those_promised() -> None:
    assert issubclass(TruncatedDownloadError, BatchDlError)
    assert issubclass(UnexpectedResponseError, BatchDlError)
