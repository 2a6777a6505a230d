"""What is said where a store refuses: why, before its own words, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.manifest import remove
from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from tests.support.s3_bucket import Bucket, close_fs, fresh_bucket
from tests.support.seaweedfs import READER, S3Store


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


NOBODY = {"key": "nobody", "secret": "teststoresecret-but-another"}


@pytest.mark.parametrize(
    ("there", "how", "says", "remedy"),
    [
        (False, {}, "the bucket or container does not exist (NoSuchBucket: ", "Create the bucket or container"),
        (True, NOBODY, "the store does not accept the credentials (InvalidAccessKeyId: ", "credentials"),
        (True, {"key": READER[0], "secret": READER[1]}, "access is denied (AccessDenied: ", "they may write"),
    ],
    ids=["no-bucket", "unknown-key", "reader"],
)
def test_why_the_store_refused_is_said_first(
    bucket: Bucket, there: bool, how: dict[str, str], says: str, remedy: str
) -> None:
    fs = bucket.store.filesystem(**how)
    try:
        sink = open_sink(fs, f"{bucket.name if there else 'no-such-bucket'}/x", "s3://conn@lake/x")
        sink.write(b"x")
        with pytest.raises(DestinationError) as caught:
            sink.publish()
        sink.discard()
    finally:
        close_fs(fs)
    assert caught.value.message.startswith("s3://conn@lake/x: cannot ")
    assert says in caught.value.message
    assert "An error occurred" not in caught.value.message
    assert remedy in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
def test_a_bucket_in_another_region(code: str) -> None:
    answer = {"Error": {"Code": code, "Message": "The bucket must be addressed using the specified endpoint."}}
    error = destination_error("s3://conn@lake/x", "publish", ClientError(answer, "PutObject"))
    assert "cannot publish: the bucket is in another region" in error.message
    assert "region_name" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("code", "reason", "remedy", "retryable"),
    [
        ("RequestTimeTooSkewed", "the worker's clock differs", "clock (NTP)", True),
        ("ConditionalRequestConflict", "", "Another writer", True),
        ("SlowDown", "", "retry the task later", True),
        ("InternalError", "", "retry the task later", True),
        ("QuotaExceeded", "the store is full", "Free some space", True),
        ("KMS.DisabledException", "the encryption key cannot be used", "key of the bucket's encryption", False),
    ],
)
def test_what_a_store_refuses_is_said_with_what_to_do(code: str, reason: str, remedy: str, retryable: bool) -> None:
    answer = {"Error": {"Code": code, "Message": "The store's own words."}}
    error = destination_error("s3://conn@lake/x", "publish", ClientError(answer, "CompleteMultipartUpload"))
    assert reason in error.message
    assert f"{code}: The store's own words" in error.message
    assert "An error occurred" not in error.message
    assert remedy in str(error)
    assert error.retryable == retryable


@pytest.mark.parametrize("code", ["ExpiredToken", "RequestTimeTooSkewed"])
def test_credentials_that_expired_midway_and_a_wrong_clock_say_nothing_of_rights(code: str) -> None:
    """s3fs raises a `PermissionError` for them, as for a key that may not do something."""
    answer = {"Error": {"Code": code, "Message": "The store's own words."}}
    refused = PermissionError("The store's own words.")
    refused.__cause__ = ClientError(answer, "DeleteObject")
    assert not is_forbidden(refused)
    assert is_forbidden(PermissionError("Forbidden"))


@pytest.mark.parametrize(
    ("code", "retryable"), [("ExpiredToken", True), ("KMS.DisabledException", False), ("AccessDenied", False)]
)
def test_an_object_that_is_not_removed_is_said_with_the_reason(
    code: str, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MemoryFileSystem, path: str) -> None:
        kind = OSError if code.startswith("KMS") else PermissionError
        raise kind("Words.") from ClientError({"Error": {"Code": code, "Message": "Words."}}, "DeleteObject")

    monkeypatch.setattr(MemoryFileSystem, "rm_file", refuse)
    with pytest.raises(DestinationError) as caught:
        remove(Destination(MemoryFileSystem(), "/x_manifest.json", "s3://conn@lake/x_manifest.json"), "remove it")
    assert caught.value.retryable == retryable
    assert ("delete objects there" in str(caught.value)) == (code == "AccessDenied")
