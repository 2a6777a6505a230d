"""A result that replaces another, on a real S3 server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer import publishing
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.sinks.s3.sink import S3Sink
from tests.support.mortal_store import Killed
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.conftest import ClientFor


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def export(emulator: Emulator, parts: int) -> EmulatedJob:
    return emulator.add_job("batchcom", result=ResultSpec(bytes=3_000 * parts, format="jsonl", parts=parts))


@pytest.mark.parametrize("name", ["x.jsonl", "", "a folder/"])
@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2), (2, 3)])
def test_only_the_new_result_is_left(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, name: str, before: int, after: int
) -> None:
    client = client_for("batchcom")
    place = Destination(bucket.fs, f"{bucket.name}/{name}", f"s3://conn@{bucket.name}/{name}")
    bucket.client.put_object(Bucket=bucket.name, Key="somebody.jsonl", Body=b"1")
    download(client, export(emulator, before).id, place)
    landing = download(client, export(emulator, after).id, place)
    keys = {file.uri.partition(f"@{bucket.name}/")[2] for file in landing.files}
    manifest = place.manifest().path.partition("/")[2]
    assert set(bucket.keys()) == keys | {"somebody.jsonl"} | ({manifest} if after > 1 else set())
    if after > 1:
        assert Landing.from_dict(json.loads(bucket.read(manifest))) == landing


def test_who_may_not_delete_is_told_before_anything_is_visible(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for("batchcom")
    place = Destination(bucket.fs, f"{bucket.name}/out/", f"s3://conn@{bucket.name}/out/")
    download(client, export(emulator, 2).id, place)
    before = {key: bucket.read(key) for key in bucket.keys()}  # noqa: SIM118 a method of ours

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(bucket.fs, "rm_file", refuse)
    with pytest.raises(DestinationError, match="remove the manifest") as caught:
        download(client, export(emulator, 3).id, place)
    assert not caught.value.retryable
    keys = [key for key in bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"] if "/." not in key["Key"]]
    after = {key["Key"]: bucket.read(key["Key"]) for key in keys}
    assert after == before
    assert bucket.open_uploads() == []


@pytest.mark.parametrize(("parts", "manifest"), [(1, None), (2, False)])
def test_who_may_only_write_lands_what_needs_no_manifest(
    emulator: Emulator,
    client_for: ClientFor,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    parts: int,
    manifest: bool | None,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Forbidden")

    client = client_for("batchcom")
    place = Destination(bucket.fs, f"{bucket.name}/out/", f"s3://conn@{bucket.name}/out/")
    for call in ("info", "cat_file", "rm_file"):
        monkeypatch.setattr(bucket.fs, call, refuse)
    job = export(emulator, parts)
    landing = download(client, job.id, place, manifest=manifest)
    assert len(landing.files) == parts
    if parts > 1:
        with pytest.raises(DestinationError, match="remove the manifest") as caught:
            download(client, job.id, place)
        assert not caught.value.retryable


def names(landing: Landing) -> set[str]:
    return {file.uri.rpartition("/")[2] for file in landing.files} | {"_manifest.json"}


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 2)])
def test_the_latest_alone_is_kept(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, before: int, after: int
) -> None:
    client = client_for("batchcom")
    place = Destination(bucket.fs, f"{bucket.name}/out/", f"s3://conn@{bucket.name}/out/")
    bucket.client.put_object(Bucket=bucket.name, Key="out/somebody.jsonl", Body=b"1")
    download(client, export(emulator, before).id, place, keep="latest")
    landing = download(client, export(emulator, after).id, place, keep="latest")
    assert {key.removeprefix("out/") for key in bucket.keys()} == names(landing) | {"somebody.jsonl"}  # noqa: SIM118
    assert Landing.from_dict(json.loads(bucket.read("out/_manifest.json"))) == landing


def test_a_kill_between_the_new_result_and_the_removal_of_the_old_one_leaves_both_and_the_next_try_the_new_one(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, new = client_for("batchcom"), export(emulator, 2)
    place = Destination(bucket.fs, f"{bucket.name}/out/", f"s3://conn@{bucket.name}/out/")
    old = download(client, export(emulator, 3).id, place, keep="latest")

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(bucket.fs, "rm_file", die)
        with pytest.raises(Killed):
            download(client, new.id, place, keep="latest")
    seen = {key.rpartition("/")[2] for key in bucket.keys()}  # noqa: SIM118 a method of ours
    said = Landing.from_dict(json.loads(bucket.read("out/_manifest.json")))
    assert said.job_id == new.id
    assert names(old) | names(said) == {name for name in seen if not name.startswith(".")}
    assert place.replaced().path.rpartition("/")[2] in seen
    bucket.fs.invalidate_cache()
    landing = download(client, new.id, place, keep="latest", if_exists="skip")
    assert landing == said
    assert {key.rpartition("/")[2] for key in bucket.keys()} == names(said)  # noqa: SIM118
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("harm", ["mixed", "removed"])
def test_a_result_that_was_replaced_while_it_was_published_has_no_manifest(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks with one destination: a store has no lock. The one that ends last finds out, and its retry mends it."""
    client = client_for("batchcom")
    place = Destination(bucket.fs, f"{bucket.name}/x.jsonl", f"s3://conn@{bucket.name}/x.jsonl")
    first, second = export(emulator, 3), export(emulator, 3)
    others: list[str] = []
    publish = S3Sink.publish

    def publish_one(self: S3Sink) -> Any:
        etag = publish(self)
        if not others:
            others.append(self.uri)
            if harm == "mixed":
                download(client, second.id, place)
            else:
                bucket.client.delete_object(Bucket=bucket.name, Key="x-part-0001.jsonl")
        return etag

    monkeypatch.setattr(S3Sink, "publish", publish_one)
    monkeypatch.setattr(publishing, "sleep", lambda seconds: None)
    with pytest.raises(DestinationError, match=r"x-part-0001\.jsonl: another process has replaced") as caught:
        download(client, first.id, place)
    assert caught.value.retryable
    assert "x_manifest.json" not in bucket.keys()  # noqa: SIM118 a method of ours
    landing = download(client, first.id, place)
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in first.files()]
    assert [hashlib.sha256(bucket.read(f"x-part-{n:04}.jsonl")).hexdigest() for n in (1, 2, 3)] == [
        file.sha256 for file in landing.files
    ]
    assert json.loads(bucket.read("x_manifest.json"))["job_id"] == first.id


def test_a_store_that_shows_the_last_object_for_a_while_is_none_that_replaces(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Swift does after an overwrite: a HEAD right after it may be answered by a node that has the last one still."""
    place = Destination(bucket.fs, f"{bucket.name}/x.jsonl", f"s3://conn@{bucket.name}/x.jsonl")
    client = client_for("batchcom")
    download(client, export(emulator, 2).id, place)
    first = f"{bucket.name}/x-part-0001.jsonl"
    ask = Destination.info
    stale, waits = ask(Destination(bucket.fs, first, "")), list[float]()

    def info(self: Destination) -> Any:
        return stale if self.path == first and len(waits) < 2 else ask(self)

    monkeypatch.setattr(Destination, "info", info)
    monkeypatch.setattr(publishing, "sleep", waits.append)
    second = export(emulator, 2)
    download(client, second.id, place)
    assert json.loads(bucket.read("x_manifest.json"))["job_id"] == second.id


def test_a_store_whose_etags_are_others_when_they_are_read_is_none_that_replaces(
    emulator: Emulator, client_for: ClientFor, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Destination(bucket.fs, f"{bucket.name}/x.jsonl", f"s3://conn@{bucket.name}/x.jsonl")
    publish = S3Sink.publish
    monkeypatch.setattr(S3Sink, "publish", lambda self: f"{publish(self)}-other")
    download(client_for("batchcom"), export(emulator, 2).id, place)
    assert bucket.read("x_manifest.json")
