"""A key that may write objects, and neither read nor list: an ordinary one for a bucket that others read.

To it, HEAD of an object is 403 whether the object is there or not
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, "Permissions"). So that a result replaces nothing,
the store itself is told to create only (If-None-Match), which needs no right but PutObject.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import WRITER, S3Store
from tests.transfer.conftest import ClientFor

SMALL, LARGE = 3_000, 20 << 20
"""One PUT, and a multipart upload."""


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def writer(bucket: Bucket) -> Any:
    return bucket.store.filesystem(key=WRITER[0], secret=WRITER[1])


def place_in(bucket: Bucket, key: str = "out/result.csv") -> Destination:
    return Destination(writer(bucket), f"{bucket.name}/{key}", f"s3://conn@{bucket.name}/{key}")


def test_the_key_may_only_write(bucket: Bucket) -> None:
    """What the other tests stand on."""
    bucket.client.put_object(Bucket=bucket.name, Key="there", Body=b"1")
    for key in ("there", "not-there"):
        with pytest.raises(PermissionError):
            writer(bucket).info(f"{bucket.name}/{key}")


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("key", ["out/result.csv", "out/"])
def test_what_is_not_there_is_created(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, size: int, key: str
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size))
    landing = download(client_for("apartmentiq"), job.id, place_in(bucket, key), if_exists="error")
    (file,) = landing.files
    assert len(bucket.read(file.uri.partition(f"@{bucket.name}/")[2])) == file.bytes
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_is_there_stays_and_is_named(emulator: Emulator, client_for: ClientFor, bucket: Bucket, size: int) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="out/result.csv", Body=b"somebody's")
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size))
    with pytest.raises(DestinationError, match="exists already") as caught:
        download(client_for("apartmentiq"), job.id, place_in(bucket), if_exists="error")
    assert not caught.value.retryable
    assert bucket.read("out/result.csv") == b"somebody's"
    assert bucket.open_uploads() == []


def test_several_files_and_their_manifest(emulator: Emulator, client_for: ClientFor, bucket: Bucket) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=3))
    landing = download(client_for("batchcom"), job.id, place_in(bucket, "out/"), if_exists="error")
    assert len(landing.files) == 3
    assert bucket.read("out/_manifest.json")
    with pytest.raises(DestinationError, match="exists already"):
        write_small(writer(bucket), f"{bucket.name}/out/_manifest.json", "s3://m", b"1", create_only=True)


def test_a_store_that_cannot_create_only_is_not_guessed_about(
    emulator: Emulator, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any other file system nobody knows whether something would be replaced."""
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Forbidden")

    fs = MemoryFileSystem()
    monkeypatch.setattr(fs, "info", refuse)
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SMALL))
    with pytest.raises(DestinationError, match="check whether an object exists") as caught:
        download(
            client_for("apartmentiq"), job.id, Destination(fs, "/out/x.csv", "memory://out/x.csv"), if_exists="error"
        )
    assert not caught.value.retryable or "Forbidden" in str(caught.value)
