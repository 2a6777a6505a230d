"""What a length or a checksum proves lands, whatever it looks like: on disk and on S3, packed and unpacked."""

from __future__ import annotations

import gzip
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import LandedFile
from airflow_provider_batchdl.transfer.job_download import Destination, download
from tests.support.raw_server import serving
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.conftest import ClientFor, left_in, local
from tests.transfer.content.verdicts import report_on

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
RANDOM = bytes(number * 197 % 251 ^ number >> 3 & 255 for number in range(9_000))
ODD: dict[str, tuple[bytes, str, int | None]] = {
    "random": (RANDOM, "csv", None),
    "random-json": (RANDOM, "json", None),
    "random-jsonl": (RANDOM, "jsonl", None),
    "random-parquet": (RANDOM, "parquet", None),
    "random-zip": (RANDOM, "zip", None),
    "pretty-jsonl": (json.dumps([{"a": 1}, {"a": 2}], indent=2).encode(), "jsonl", None),
    "latin-1-jsonl": (b'{"a": "\xe9"}\n{"a": 1}\n', "jsonl", 2),
    "nan": (b'[{"a": NaN}]', "json", None),
    "odd-last-line": (b"a,b\n1,2\n3", "csv", 2),
    "open-quote": (b'a,b\n1,"2', "csv", None),
    "empty-csv": (b"", "csv", 0),
    "empty-json": (b"", "json", None),
    "empty-jsonl": (b"", "jsonl", 0),
    "empty-parquet": (b"", "parquet", None),
    "headline": (b"<headline>,<body>\n1,2\n", "csv", 1),
    "error-log": (b"<?xml version='1.0'?>\n<error-log><code>1</code></error-log>", "xml", None),
    "errors-in-lines": (b'{"error": "no", "a": 1}\n{"error": null, "a": 2}\n', "jsonl", 2),
    "errors-in-array": (b'[{"error": "no", "a": 1}]', "json", 1),
    "errors-in-csv": (b"error,message\n1,2\n", "csv", 1),
    "cut-json": (b'[{"a": 1}, {"a"', "json", None),
    "cr-only": (b"a,b\r1,2\r3,4\r", "csv", 2),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), "csv", None),
    "packed-by-an-unknown": (b"\x1b,\x80\n\xff\n\x91\n", "csv.br", None),
    "zip-as-csv": (b"PK\x03\x04" + bytes(99), "csv", None),
    "no-gzip": (b"anything", "gz", None),
    "cut-zip": (b"PK\x03\x04" + bytes(99), "zip", None),
    "pdf": (b"%PDF-1.7", "pdf", None),
}


def framed(body: bytes, suffix: str, way: str) -> bytes:
    """An answer whose end the transport or a checksum proves."""
    name = f'Content-Disposition: attachment; filename="x.{suffix}"\r\n'.encode()
    if way == "chunked":
        chunks = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return b"HTTP/1.1 200 OK\r\n" + name + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    if way == "checksum":
        digest = b64encode(md5(body, usedforsecurity=False).digest())
        return b"HTTP/1.0 200 OK\r\n" + name + b"Content-MD5: " + digest + b"\r\n\r\n" + body
    return b"HTTP/1.1 200 OK\r\n" + name + b"Content-Length: %d\r\n\r\n" % len(body) + body


def land(
    emulator: Emulator,
    client_for: ClientFor,
    place: Destination,
    body: bytes,
    suffix: str,
    way: str = "length",
    **options: Any,
) -> LandedFile:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
    with serving(framed(body, suffix, way)) as url:
        emulator.add_fault(Fault("redirect", operation="download", location=url))
        landing = download(client_for("apartmentiq"), job.id, place, **options)
    emulator.reset()
    assert landing.restarted == 0
    assert {"length": "content-length", "chunked": "chunked", "checksum": "md5"}[way] in landing.verified_by
    return landing.files[0]


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_but_whole(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, bucket: Bucket, name: str, packed: bool
) -> None:
    body, suffix, rows = ODD[name]
    if packed:
        body, suffix, rows = gzip.compress(body), f"{suffix}.gz", None
    for way in ("length",) if packed else ("length", "chunked", "checksum"):
        path = tmp_path / f"x-{way}.{suffix}"
        landed = land(emulator, client_for, local(path), body, suffix, way)
        assert path.read_bytes() == body
        assert landed.rows == rows
    key = f"{bucket.name}/x.{suffix}"
    landed = land(emulator, client_for, Destination(bucket.fs, key, f"s3://conn@{key}"), body, suffix)
    assert bucket.read(f"x.{suffix}") == body
    assert landed.rows == rows


@pytest.mark.parametrize("name", [name for name, (_, suffix, _) in ODD.items() if suffix != "gz"])
def test_gzip_rows_are_counted_where_that_is_asked_for(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, name: str
) -> None:
    body, suffix, rows = ODD[name]
    packed = gzip.compress(body)
    landed = land(emulator, client_for, local(tmp_path / "x"), packed, f"{suffix}.gz", count_gzip_rows=True)
    assert (tmp_path / "x").read_bytes() == packed
    assert (landed.rows, landed.verified_by[-1]) == (rows, "gzip")


@pytest.mark.parametrize("damage", [slice(0, -1), slice(0, 30), slice(0, 11)])
def test_damaged_gzip_lands_with_a_warning_and_no_rows(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, damage: slice, caplog: pytest.LogCaptureFixture
) -> None:
    cut = gzip.compress(b"a,b\n" + b"1,2\n" * 999)[damage]
    landed = land(emulator, client_for, local(tmp_path / "x"), cut, "csv.gz", count_gzip_rows=True)
    assert (landed.rows, "gzip" in landed.verified_by) == (None, False)
    assert "Verified by content-length" in caplog.text
    assert "but the content check failed: The gzip content ends before its trailer." in caplog.text


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "bin"])
@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><title>Sign in</title>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b'{"error": "not authorized"}',
        b'{\n  "error": "not authorized",\n  "message": "Sign in"\n}\n',
        b'{"errors": [{"code": 5, "message": "no"}]}',
    ],
)
def test_a_page_or_an_error_in_its_place_is_refused_all_the_same(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, body: bytes, suffix: str
) -> None:
    with pytest.raises(BatchDlError):
        land(emulator, client_for, local(tmp_path / "x"), body, suffix)
    assert left_in(tmp_path) == []


def test_a_page_is_refused_before_it_is_all_there(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    with pytest.raises(UnexpectedResponseError):
        land(emulator, client_for, local(tmp_path / "x"), b"<html>" + b" " * 3_000_000, "csv")
    assert left_in(tmp_path) == []


def corpus(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in CORPUS.glob(pattern) if path.is_file())


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no public test files at {CORPUS}")


def expected_rows(path: Path) -> set[int | None]:
    """The right number of rows, by those who know, and None."""
    if path.suffix == ".parquet":
        pq = pytest.importorskip("pyarrow.parquet")
        try:
            return {pq.ParquetFile(io.BytesIO(path.read_bytes())).metadata.num_rows, None}
        except Exception:  # noqa: BLE001  one that pyarrow cannot read, for its schema; the footer may say all the same
            return set(range(10_000)) | {None}
    if path.suffix == ".json":
        try:
            value = json.loads(
                path.read_bytes().decode("utf-8", "replace")
            )  # bytes of another encoding hide no bracket
        except (ValueError, RecursionError):
            return {None}
        arrays = [value] if isinstance(value, list) else []
        arrays += [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else []
        return {len(arrays[0]) if len(arrays) == 1 else None, None}
    return {None}


FOLDERS = ["csv-spectrum", "csv-duckdb", "json-test-suite", "parquet", "archives"]


@needs_corpus
@pytest.mark.parametrize("folder", FOLDERS)
def test_no_public_file_has_wrong_rows_or_is_refused_when_it_is_proven(folder: str) -> None:
    found = corpus(f"{folder}/**/*")
    assert found
    wrong: list[Any] = []
    for path in found:
        said = report_on(path.name, path.read_bytes(), proven=True)
        if path.suffix in (".json", ".parquet") and said.rows not in expected_rows(path):
            wrong.append((path.name, said))
        if path.name[:2] in ("n_", "y_") and (said.word == "json") != path.name.startswith("y_"):
            wrong.append((path.name, said))
    assert wrong == []


@needs_corpus
@pytest.mark.parametrize("folder", FOLDERS)
def test_public_files_land_when_they_are_framed(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, folder: str
) -> None:
    found = corpus(f"{folder}/**/*")
    for path in found[:: 1 + len(found) // 50]:
        suffix = path.suffix.removeprefix(".") or "bin"
        target = tmp_path / f"x.{suffix}"
        land(emulator, client_for, local(target), path.read_bytes(), suffix)
        assert target.read_bytes() == path.read_bytes()
