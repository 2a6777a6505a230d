"""Files that neither the transport nor a checksum proves: their own end does, else a second reading, else nothing."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, TransferError, TruncatedDownloadError
from airflow_provider_batchdl.jobs import LandedFile
from airflow_provider_batchdl.transfer.job_download import download, fetch
from tests.support.raw_server import serving
from tests.transfer.conftest import ClientFor, left_in, local

UNFRAMED = b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n"
TYPES = {"csv": b"text/csv", "jsonl": b"application/jsonl", "json": b"application/json", "txt": b"text/plain"}
TYPES |= {"gz": b"application/gzip", "zip": b"application/zip", "bin": b"application/octet-stream"}
TABLE = b'a,b\n1,"say ""hi"""\n"x, y\nz",3\n'
LINES = b'{"a": 1}\n{"a": [2, 3]}\n'


def land(
    emulator: Emulator, client_for: ClientFor, folder: Path, kind: str, *bodies: bytes, sha256: bool = True
) -> LandedFile:
    """Land a file that is served without any framing: one body after another, the last one again and again."""
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
    with serving(*(UNFRAMED % TYPES[kind] + body for body in bodies)) as url:
        emulator.add_fault(Fault("redirect", operation="download", location=f"{url}x.{kind}", times=99))
        try:
            landing = download(client_for("revenuebase"), job.id, local(folder / f"x.{kind}"), sha256=sha256)
        except BatchDlError:
            assert left_in(folder) == []
            raise
        finally:
            emulator.reset()
    assert (folder / f"x.{kind}").read_bytes() in bodies
    return landing.files[0]


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.csv"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "body", "verified_by", "rows"),
    [
        ("csv", TABLE, ("read-twice", "csv-end"), 2),
        ("csv", TABLE[:-1], ("read-twice", "csv-end"), 2),
        ("csv", b"a,b\n", ("read-twice", "csv-end"), 0),
        ("jsonl", LINES, ("read-twice", "jsonl-end"), 2),
        ("jsonl", LINES[:-1], ("read-twice", "jsonl-end"), 2),
        ("jsonl", b"no JSON\n", ("read-twice",), None),
        ("json", LINES, ("read-twice", "jsonl-end"), 2),
        ("json", b'[{"a": NaN}]', ("read-twice",), None),
        ("txt", b"anything", ("read-twice",), None),
        ("bin", b"anything", ("read-twice",), None),
        ("csv", TABLE.decode().encode("utf-16"), ("read-twice",), None),
        ("json", LINES.decode().encode("utf-32"), ("read-twice",), None),
    ],
)
@pytest.mark.parametrize("sha256", [True, False])
def test_an_open_ended_text_is_read_twice(
    emulator: Emulator,
    client_for: ClientFor,
    tmp_path: Path,
    kind: str,
    body: bytes,
    verified_by: tuple[str, ...],
    rows: int | None,
    sha256: bool,
) -> None:
    landed = land(emulator, client_for, tmp_path, kind, body, sha256=sha256)
    assert (landed.verified_by, landed.rows) == (verified_by, rows)
    assert (landed.sha256 is not None) == sha256


@pytest.mark.parametrize(
    ("kind", "body", "word", "rows"),
    [
        ("json", b'{"list": [1, 2]}', "json", 2),
        ("gz", gzip.compress(TABLE, mtime=0), "gzip", None),
        ("zip", zipped(TABLE), "zip", None),
        ("csv", zipped(TABLE), "zip", None),
        ("bin", gzip.compress(TABLE, mtime=0), "gzip", None),
    ],
)
def test_a_format_with_an_end_of_its_own_is_read_once(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, kind: str, body: bytes, word: str, rows: int | None
) -> None:
    landed = land(emulator, client_for, tmp_path, kind, body, b"must not be asked for")
    assert (landed.verified_by, landed.rows) == ((word,), rows)


@pytest.mark.parametrize(
    ("kind", "whole"), [("csv", TABLE), ("jsonl", LINES), ("json", LINES), ("txt", b"any\ntext\n")]
)
def test_every_cut_of_the_first_reading_is_found(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, kind: str, whole: bytes
) -> None:
    for cut in range(len(whole)):
        if kind == "json" and 8 <= cut <= 9:
            continue  # of JSON lines called JSON, the first one is a document
        landed = land(emulator, client_for, tmp_path, kind, whole[:cut], whole)
        assert landed.bytes == len(whole)
        assert "read-twice" in landed.verified_by
        (tmp_path / f"x.{kind}").unlink()


@pytest.mark.parametrize(("kind", "whole"), [("csv", TABLE), ("jsonl", LINES), ("json", b'{"a": [1, {"b": "c"}]}')])
def test_every_cut_that_comes_twice_is_refused_or_said_to_be_read_twice(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, kind: str, whole: bytes
) -> None:
    for cut in range(len(whole)):
        try:
            landed = land(emulator, client_for, tmp_path, kind, whole[:cut])
        except TransferError:
            continue
        assert kind != "json"
        assert landed.verified_by[0] == "read-twice"
        (tmp_path / f"x.{kind}").unlink()


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_every_cut_of_what_has_an_end_is_refused(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, kind: str
) -> None:
    whole = gzip.compress(TABLE, mtime=0) if kind == "gz" else zipped(TABLE)
    for cut in range(0, len(whole), 7):
        with pytest.raises(TransferError):
            land(emulator, client_for, tmp_path, kind, whole[:cut])


def test_readings_that_differ_each_time_are_refused(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    bodies = [TABLE + b"%d,2\n" % n for n in range(9)]
    with pytest.raises(TruncatedDownloadError, match="two readings of it differ"):
        land(emulator, client_for, tmp_path, "csv", *bodies)


@pytest.mark.parametrize(
    ("kind", "body"), [("bin", bytes(100)), ("csv", b""), ("json", b""), ("txt", b""), ("bin", b"")]
)
def test_what_nothing_can_prove_is_refused(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, kind: str, body: bytes
) -> None:
    with pytest.raises(TruncatedDownloadError):
        land(emulator, client_for, tmp_path, kind, body)


def test_a_second_reading_that_breaks_is_read_once_more(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=300_000, format="csv"), state="succeeded")
    emulator.add_fault(Fault("no_length", operation="store"))
    emulator.add_fault(Fault("cut", operation="store", after_bytes=1000))
    emulator.add_fault(Fault("no_length", operation="store"))
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "x.csv"))
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert landing.verified_by == ("read-twice", "csv-end")


def test_the_announced_size_proves_a_file(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    """Batch.com announces one; without framing, what it fits is read once."""
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl"), state="succeeded")
    emulator.add_fault(Fault("no_length", operation="store"))
    landing = download(client_for("batchcom"), job.id, local(tmp_path / "x.jsonl"))
    assert landing.verified_by[0] == "announced-size"
    assert sum(request.operation == "store" for request in emulator.requests) == 1


def test_what_is_fetched_is_read_twice_too(emulator: Emulator, client_for: ClientFor) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
    with serving(UNFRAMED % b"text/csv" + b"a,b\n1,", UNFRAMED % b"text/csv" + b"a,b\n1,2\n3,4\n") as url:
        emulator.add_fault(Fault("redirect", operation="download", location=f"{url}x.csv", times=99))
        rows = fetch(client_for("revenuebase"), job.id, max_bytes=1000)
    assert json.dumps(rows) == '[{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]'
