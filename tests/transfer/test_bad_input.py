"""Results and destinations that are not what they should be: a typed error, a remedy, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import os
import resource
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    DestinationError,
    RateLimitedError,
    ResultNotReadyError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
    UnstorableResultError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.transfer.job_download import Destination, download, fetch
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from tests.support.raw_server import serving
from tests.support.seaweedfs import READER, S3Store
from tests.transfer.conftest import ClientFor, left_in, local

PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Your session has ended.</body></html>"
STORE_ERROR = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>No.</Message></Error>'
SLOW_DOWN = STORE_ERROR.replace("AccessDenied", "SlowDown")
MOST = 100_000
FORMATS = {"revenuebase": "csv", "proofy": "json", "batchcom": "jsonl", "apartmentiq": "csv"}
OWN_STREAM = ["revenuebase", "proofy"]
"""Vendors whose results come from the API itself; those of the others lie in a store."""


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", content)
    return buffer.getvalue()


def answer(body: str | bytes, content_type: str, **headers: str) -> Fault:
    """Status 200 with another body than the result, however often it is asked for."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("status", status=200, body=body, content_type=content_type, headers=named, times=99)


@dataclass(frozen=True)
class Bad:
    """What comes instead of a result, and what becomes of it."""

    what: str
    fault: Fault
    error: type[BatchDlError]
    remedy: str
    """Words of it."""
    vendors: tuple[str, ...] = ("revenuebase", "batchcom")
    """By default one whose results come from its API, and one whose results lie in a store."""
    ways: tuple[str, ...] = ("download", "fetch")


CASES = [
    Bad("a login page", answer(PAGE, "text/html; charset=utf-8"), UnexpectedResponseError, "login page",
        tuple(FORMATS)),
    Bad("a login page as CSV", answer(PAGE, "text/csv"), UnexpectedResponseError, "login page"),
    Bad("a login page as bytes", answer(PAGE, "application/octet-stream"), UnexpectedResponseError, "login page"),
    Bad("a page packed", answer(gzip.compress(PAGE.encode()), "text/html", Content_Encoding="gzip"),
        UnexpectedResponseError, "login page"),
    Bad("the store's error", answer(STORE_ERROR, "application/xml"), UnexpectedResponseError, "show the vendor"),
    Bad("the store's error untyped", answer(STORE_ERROR, ""), UnexpectedResponseError, "show the vendor"),
    Bad("JSON where CSV is", answer('{"error": "no"}', "text/csv"), UnexpectedResponseError, "retry", ("apartmentiq",)),
    Bad("another state", answer('{"list": [], "status": "parsing"}', "application/json"), ResultNotReadyError,
        "Wait for the job", ("proofy",)),
    # No vendor's documents know a count of rows; Batch.com alone declares a file's size beforehand.
    Bad("nothing where JSON is", answer("", "application/json"), TruncatedDownloadError, "Retry the task",
        ("batchcom",)),
    Bad("nothing of many bytes", answer("", "application/octet-stream"), TruncatedDownloadError, "Retry the task",
        ("batchcom",)),
    Bad("a coding unknown", answer(b"x", "text/csv", Content_Encoding="br"), UnexpectedResponseError, "a proxy"),
    Bad("a page that is not packed", answer(PAGE, "text/html", Content_Encoding="gzip"), UnexpectedResponseError,
        "login page"),
    Bad("a bomb in a coding", answer(gzip.compress(b"0," * 4_000_000), "text/csv", Content_Encoding="gzip"),
        ResultTooLargeError, "Set a destination", ways=("fetch",)),
    Bad("a bomb in a file",
        answer(gzip.compress(b"a,b\n" * 2_000_000), "application/gzip", Content_Disposition='filename="x.csv.gz"'),
        ResultTooLargeError, "Set a destination", ("revenuebase",), ("fetch",)),
    Bad("an archive", answer(zipped(bytes(10_000_000)), "application/zip", Content_Disposition='filename="x.zip"'),
        UnstorableResultError, "Set a destination", ("revenuebase",), ("fetch",)),
    Bad("larger than allowed", answer("a,b\n" * MOST, "text/csv"), ResultTooLargeError, "Set a destination",
        ways=("fetch",)),
    Bad("a throttling store", Fault("status", status=503, body=SLOW_DOWN, content_type="application/xml", times=99),
        VendorUnavailableError, "later", ("batchcom", "apartmentiq")),
    Bad("a store for tomorrow", Fault("status", status=429, body="", retry_after=86_400, times=99),
        VendorUnavailableError, "later", ("batchcom", "apartmentiq")),
    Bad("a throttling vendor", Fault("status", status=429, body="", retry_after=600, times=99), RateLimitedError,
        "Fewer tasks at once", ("revenuebase", "proofy")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "vendor", "way"),
    [(bad, vendor, way) for bad in CASES for vendor in bad.vendors for way in bad.ways],
    ids=lambda value: value.what.replace(" ", "-") if isinstance(value, Bad) else value,
)
def test_a_bad_result(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, bad: Bad, vendor: str, way: str
) -> None:
    job = emulator.add_job(vendor, result=ResultSpec(bytes=9_000, format=FORMATS[vendor]), state="succeeded")
    where = "download" if vendor in OWN_STREAM else "store"
    emulator.add_fault(replace(bad.fault, operation=where))
    client, destination = client_for(vendor), local(tmp_path, folder=True)
    with pytest.raises(bad.error) as caught:
        fetch(client, job.id, max_bytes=MOST) if way == "fetch" else download(client, job.id, destination)
    error = caught.value
    assert type(error) is bad.error
    assert bad.remedy in (error.remedy or "")
    assert str(error.remedy) in str(error)
    assert left_in(tmp_path) == []


class TestLocalDestinations:
    @pytest.fixture
    def job(self, emulator: Emulator) -> str:
        return emulator.add_job("apartmentiq", result=ResultSpec(bytes=3_000_000, format="csv"), state="succeeded").id

    def refusal(self, client_for: ClientFor, job: str, path: Path) -> DestinationError:
        with pytest.raises(DestinationError) as caught:
            download(client_for("apartmentiq"), job, local(path))
        assert str(path) in str(caught.value)
        return caught.value

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_disk_that_fills_up(
        self, client_for: ClientFor, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = LocalSink.write

        def full_later(self: LocalSink, data: bytes | memoryview) -> None:
            if self.written and self._fd is not None:
                full = os.open("/dev/full", os.O_WRONLY)
                os.dup2(full, self._fd)
                os.close(full)
            real(self, data)

        monkeypatch.setattr(LocalSink, "write", full_later)
        error = self.refusal(client_for, job, tmp_path / "x.csv")
        assert "Free some space" in str(error.remedy)
        assert error.retryable
        assert left_in(tmp_path) == []

    def test_a_disk_too_small_from_the_start(
        self, emulator: Emulator, client_for: ClientFor, job: str, tmp_path: Path
    ) -> None:
        emulator.add_fault(Fault("wrong_length", operation="store", length_delta=1 << 60, times=9))
        error = self.refusal(client_for, job, tmp_path / "x.csv")
        assert "Free some space" in str(error.remedy)
        assert left_in(tmp_path) == []

    def test_a_file_larger_than_the_system_lets_it_be(self, client_for: ClientFor, job: str, tmp_path: Path) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        try:
            error = self.refusal(client_for, job, tmp_path / "x.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "accepts no file of this size" in str(error.remedy)
        assert left_in(tmp_path) == []

    def test_a_read_only_folder(self, client_for: ClientFor, job: str, read_only: Path) -> None:
        before = sorted(read_only.iterdir())
        error = self.refusal(client_for, job, read_only / "x.csv")
        assert "choose another destination" in str(error.remedy)
        assert not error.retryable
        assert sorted(read_only.iterdir()) == before


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that refuses files, also those of root."""
    if os.geteuid() == 0:
        if not Path("/sys/kernel").is_dir():
            pytest.skip("root may write anywhere here")
        yield Path("/sys/kernel")
        return
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


SIZES = [9_000, 20_000_000]
"""One request, and a multipart upload."""


@pytest.mark.parametrize("size", SIZES)
class TestObjectStores:
    def refusal(self, emulator: Emulator, client_for: ClientFor, size: int, fs: Any, bucket: str) -> DestinationError:
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
        destination = Destination(fs, f"{bucket}/x.csv", f"s3://{bucket}/x.csv")
        try:
            with pytest.raises(DestinationError) as caught:
                download(client_for("apartmentiq"), job.id, destination)
        finally:
            if fs._s3 is not None:
                fs.close_session(fs.loop, fs._s3creator)
        assert f"s3://{bucket}/x.csv" in str(caught.value)
        return caught.value

    def test_a_missing_bucket(self, emulator: Emulator, client_for: ClientFor, s3_store: S3Store, size: int) -> None:
        name = f"missing-{uuid.uuid4().hex[:12]}"
        error = self.refusal(emulator, client_for, size, s3_store.filesystem(), name)
        assert "Create the bucket" in str(error.remedy)
        assert not error.retryable

    def test_a_key_that_may_not_write(
        self, emulator: Emulator, client_for: ClientFor, s3_store: S3Store, size: int
    ) -> None:
        name, (key, secret) = f"t-{uuid.uuid4().hex[:12]}", READER
        client = s3_store.client()
        try:
            client.create_bucket(Bucket=name)
            fs = s3_store.filesystem(key=key, secret=secret)
            error = self.refusal(emulator, client_for, size, fs, name)
            assert "credentials" in str(error.remedy)
            assert not error.retryable
            assert "Contents" not in client.list_objects_v2(Bucket=name)
            assert not client.list_multipart_uploads(Bucket=name).get("Uploads")
        finally:
            client.close()

    def test_a_store_that_throttles(self, emulator: Emulator, client_for: ClientFor, size: int) -> None:
        import s3fs

        head = f"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: {len(SLOW_DOWN)}\r\n\r\n"
        with serving((head + SLOW_DOWN).encode()) as url:
            fs = s3fs.S3FileSystem(
                endpoint_url=url.rstrip("/"),
                key="AK",
                secret="a secret",
                skip_instance_cache=True,
                config_kwargs={"retries": {"max_attempts": 1}},
            )
            error = self.refusal(emulator, client_for, size, fs, "bucket")
        assert "SlowDown" in error.message
        assert error.remedy
        assert error.retryable


def test_a_declared_checksum_that_cannot_be_checked_is_said(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The result lands, by its other proofs, and neither the landing nor the log says that the checksum held."""
    composite = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-3"
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    fault = answer("a,b\n1,2\n", "text/csv", x_amz_checksum_sha256=composite, Content_MD5="no checksum at all")
    emulator.add_fault(replace(fault, operation="store"))
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path, folder=True))
    assert landing.verified_by == ("content-length", "csv-end")
    for header in ("x-amz-checksum-sha256", "content-md5"):
        assert f"Cannot check the checksum in {header}" in caplog.text
