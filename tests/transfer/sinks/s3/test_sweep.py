"""A sweep of a bucket: the uploads of the folder and of no other, whatever ends or was listed in the meantime."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.transfer.cleanup import sweep
from tests.support.s3_bucket import Bucket, fresh_bucket, running_moto
from tests.support.seaweedfs import S3Store
from tests.transfer.partials import KEY

AT_ONCE = timedelta(seconds=-60)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_whose_name_begins_alike_is_another(bucket: Bucket, slash: str) -> None:
    """`ObjectStoragePath.path` has no slash at its end, whatever the folder was written with."""
    for key in ("data/x", "data/sub/x", "data-of-others/x", "database"):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    swept = sweep(bucket.fs, f"{bucket.name}/data{slash}", older_than=AT_ONCE)
    assert sorted(swept) == [f"{bucket.name}/data/sub/x", f"{bucket.name}/data/x"]
    assert sorted(bucket.open_uploads()) == ["data-of-others/x", "database"]
    assert len(sweep(bucket.fs, bucket.name, older_than=AT_ONCE)) == 2


def test_an_upload_that_ends_in_the_meantime_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto, as S3 does, knows no such upload by then; to SeaweedFS, any upload can be aborted."""
    with running_moto() as store, fresh_bucket(store) as bucket:
        for key in ("a/x", "a/y"):
            bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
        ended: list[str] = []
        call = bucket.fs.call_s3

        def call_after_it_ended(method: str, **arguments: Any) -> Any:
            if method == "abort_multipart_upload" and not ended:
                ended.append(arguments["Key"])
                bucket.client.abort_multipart_upload(**arguments)
            return call(method, **arguments)

        monkeypatch.setattr(bucket.fs, "call_s3", call_after_it_ended)
        assert sweep(bucket.fs, f"{bucket.name}/a", older_than=AT_ONCE) == [f"{bucket.name}/a/y"]
        assert ended == ["a/x"]
        assert bucket.open_uploads() == []


def test_it_lists_what_is_there_now(bucket: Bucket) -> None:
    """A process may have listed the folder hours ago, and s3fs forgets nothing by itself."""
    bucket.client.put_object(Bucket=bucket.name, Key="a/sub/x", Body=b"1")
    assert bucket.fs.ls(f"{bucket.name}/a/sub") == bucket.fs.find(f"{bucket.name}/a") == [f"{bucket.name}/a/sub/x"]
    bucket.client.put_object(Bucket=bucket.name, Key=f"a/sub/.x.{KEY}.part.json", Body=b"{}")
    swept = sweep(bucket.fs, f"{bucket.name}/a", older_than=AT_ONCE)
    assert swept == [f"{bucket.name}/a/sub/.x.{KEY}.part.json"]
    assert bucket.keys() == ["a/sub/x"]


def test_a_store_that_does_not_say_when_uploads_began(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose age nobody knows is left alone, and the object that is published all the same is whole."""
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="a/x")
    bucket.client.put_object(Bucket=bucket.name, Key=f"a/.x.{KEY}.part.json", Body=b"{}")
    call = bucket.fs.call_s3

    def without_times(method: str, **arguments: Any) -> Any:
        answer = call(method, **arguments)
        for each in answer.get("Uploads", []):
            del each["Initiated"]
        return answer

    monkeypatch.setattr(bucket.fs, "call_s3", without_times)
    assert sweep(bucket.fs, f"{bucket.name}/a", older_than=AT_ONCE) == [f"{bucket.name}/a/.x.{KEY}.part.json"]
    sink = bucket.sink("a/x")
    sink.write(bytes(9 << 20))
    sink.publish()
    assert len(bucket.read("a/x")) == 9 << 20
