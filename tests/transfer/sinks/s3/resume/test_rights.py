"""What is left of a killed try, where the worker may not see or remove it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_provider_batchdl.exceptions import DestinationError
from tests.support.s3_bucket import Bucket
from tests.transfer.sinks.s3.resume.uploads import (
    BLOCK,
    DATA,
    KEY,
    NAME,
    SIZE,
    Memory,
    begun,
    feed,
    kept,
    killed,
)


class NoDelete(Memory):
    """Records where the worker may read and write, and not delete."""

    def delete(self, key: str) -> None:
        raise PermissionError("Access Denied")


def refuse_list_of_parts(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the store answer the list of an upload's parts with ``error``, and all else as usual."""
    call = bucket.fs.call_s3

    def refuse(method: str, **arguments: Any) -> Any:
        if method == "list_parts":
            raise error
        return call(method, **arguments)

    monkeypatch.setattr(bucket.fs, "call_s3", refuse)


def test_who_may_not_list_parts_restarts(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """To write an object takes `s3:PutObject`; to list the parts of an upload, `s3:ListMultipartUploadParts`."""
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    killed(first)
    refuse_list_of_parts(bucket, monkeypatch, PermissionError("Access Denied"))
    assert kept(bucket, state) is None
    assert state.kept == {}
    assert bucket.open_uploads() == []


def test_a_store_that_cannot_list_parts_is_no_failure(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    killed(first)
    error = {"Error": {"Code": "NotImplemented", "Message": "ListParts"}}
    refuse_list_of_parts(bucket, monkeypatch, ClientError(error, "ListParts"))
    assert kept(bucket, state) is None


def test_a_store_that_fails_to_list_parts_fails_the_try(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Memory()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)

    error = {"Error": {"Code": "SlowDown", "Message": "Please reduce your request rate."}}
    with monkeypatch.context() as patched:
        refuse_list_of_parts(bucket, patched, ClientError(error, "ListParts"))
        with pytest.raises(DestinationError, match=r"read what the previous try uploaded.*retry the task") as caught:
            kept(bucket, state)
    assert caught.value.retryable
    assert KEY in state.kept
    first.discard()


@pytest.mark.parametrize("record", ["{}", None], ids=["damaged", "of an upload that is gone"])
def test_who_may_not_delete_a_record_of_no_use_restarts_with_every_try(bucket: Bucket, record: str | None) -> None:
    state = NoDelete()
    first = begun(bucket, state)
    feed(first, 5 * BLOCK)
    first.suspend()
    for each in bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]:
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=NAME, UploadId=each["UploadId"])
    state.kept[KEY] = record or state.kept[KEY]
    for _ in range(2):
        assert kept(bucket, state) is None
    sink = begun(bucket, state)
    feed(sink, SIZE)
    sink.publish()
    assert bucket.read(NAME) == DATA
