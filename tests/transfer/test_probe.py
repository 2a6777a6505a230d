"""What can be seen of a destination before a job is paid for; nothing is written to see it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.options import DEFAULTS, DownloadOptions
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.probe import probe
from tests.support.azurite import AzureStore, close_filesystem
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.support.s3_bucket import Bucket, close_fs, fresh_bucket
from tests.support.seaweedfs import READER, WRITER, S3Store

ERROR = DownloadOptions(if_exists="error")


def local(path: str | Path) -> Destination:
    return Destination(LocalFileSystem(), str(path), str(path))


def refused(place: Destination, options: DownloadOptions = DEFAULTS) -> DestinationError:
    with pytest.raises(DestinationError) as caught:
        probe(place, options)
    assert place.uri.split("?")[0] in str(caught.value)
    return caught.value


class TestLocal:
    def test_a_folder_that_is_still_to_be_made(self, tmp_path: Path) -> None:
        probe(local(tmp_path / "a/b/x.csv"), ERROR)
        probe(local(f"{tmp_path}/a/b/"), ERROR)
        probe(local("/x.csv"), DEFAULTS)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["file/x.csv", "file/", "file/a/b/"])
    def test_a_file_where_a_folder_should_be(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("")
        error = refused(local(f"{tmp_path}/{name}"))
        assert "A part of the destination's path is a file, not a folder" in str(error)
        assert not error.retryable

    def test_a_folder_that_may_not_be_written(self) -> None:
        as_nobody = os.geteuid() == 0  # root may write everywhere
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o555)
            try:
                if as_nobody:
                    os.seteuid(65534)
                error = refused(local(f"{folder}/x.csv"))
            finally:
                if as_nobody:
                    os.seteuid(0)
        assert "Give the worker's user write permission on the folder" in str(error)
        assert not error.retryable

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of two users")
    def test_a_file_that_only_its_owner_may_replace(self) -> None:
        """As in `/tmp`: the folder can be written to, and the rename at the end would be refused."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o1777)
            (Path(folder) / "theirs.csv").write_text("")
            (Path(folder) / "ours.csv").write_text("")
            os.chown(f"{folder}/ours.csv", 65534, -1)
            probe(local(f"{folder}/theirs.csv"), DEFAULTS)
            os.seteuid(65534)
            try:
                error = refused(local(f"{folder}/theirs.csv"))
                for each in ("ours.csv", "new.csv", ""):
                    probe(local(f"{folder}/{each}"), DEFAULTS)
            finally:
                os.seteuid(0)
            assert not error.retryable
            assert "sticky" in str(error)

    @pytest.mark.parametrize("name", ["gone/x.csv", "gone/a/x.csv", "loop/x.csv", "loop/"])
    def test_a_link_in_the_path_that_leads_nowhere(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "gone").symlink_to("nowhere")
        (tmp_path / "loop").symlink_to("loop")
        assert "link in the" in str(refused(local(f"{tmp_path}/{name}")))

    def test_a_read_only_mount(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a mount of root's own shows itself: `access` says no, and `statvfs` why."""
        real = os.statvfs(tmp_path)
        monkeypatch.setattr(os, "access", lambda *args, **more: False)
        monkeypatch.setattr(os, "supports_effective_ids", {os.access})
        flags = (*real[:8], real.f_flag | os.ST_RDONLY, real.f_namemax)
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(flags))
        error = refused(local(tmp_path / "x.csv"))
        assert "mounted read-only" in str(error)
        assert not error.retryable

    def test_what_is_there_already(self, tmp_path: Path) -> None:
        (tmp_path / "x.csv").write_text("old")
        probe(local(tmp_path / "x.csv"), DEFAULTS)
        assert "exists already" in str(refused(local(tmp_path / "x.csv"), ERROR))
        (tmp_path / "_manifest.json").write_text("{}")
        probe(local(f"{tmp_path}/"), ERROR)  # whether it gets one, the number of files says
        refused(local(f"{tmp_path}/"), DownloadOptions(if_exists="error", manifest=True))


class TestS3:
    @pytest.fixture
    def bucket(self, s3_store: S3Store) -> Iterator[Bucket]:
        with fresh_bucket(s3_store) as bucket:
            yield bucket

    @pytest.fixture
    def by(self, s3_store: S3Store) -> Iterator[Any]:
        opened = []

        def open_as(key: str, secret: str, **more: Any) -> Any:
            opened.append(s3_store.filesystem(key=key, secret=secret, **more))
            return opened[-1]

        yield open_as
        for fs in opened:
            close_fs(fs)

    @staticmethod
    def at(fs: Any, bucket: str, key: str = "a/x.csv") -> Destination:
        return Destination(fs, f"{bucket}/{key}", f"s3://conn@{bucket}/{key}")

    def test_a_bucket_that_is_there(self, bucket: Bucket) -> None:
        probe(self.at(bucket.fs, bucket.name), ERROR)
        probe(self.at(bucket.fs, bucket.name, "folder/"), ERROR)
        assert bucket.keys() == bucket.open_uploads() == []
        bucket.client.put_object(Bucket=bucket.name, Key="a/x.csv", Body=b"old")
        probe(self.at(bucket.fs, bucket.name), DEFAULTS)
        assert "exists already" in str(refused(self.at(bucket.fs, bucket.name), ERROR))

    def test_a_missing_bucket(self, bucket: Bucket) -> None:
        error = refused(self.at(bucket.fs, f"{bucket.name}-missing"))
        assert "NoSuchBucket" in str(error)
        assert "Create the bucket" in str(error)
        assert not error.retryable

    def test_a_key_that_may_only_write_is_fine(self, bucket: Bucket, by: Any) -> None:
        fs = by(*WRITER)
        with pytest.raises(PermissionError):
            fs.call_s3("list_objects_v2", Bucket=bucket.name)
        probe(self.at(fs, bucket.name), DEFAULTS)

    def test_a_key_that_the_store_does_not_know(self, bucket: Bucket, by: Any) -> None:
        for fs in (by("AKNOBODY", "nobodysecret"), by(READER[0], "wrongsecret")):
            error = refused(self.at(fs, bucket.name))
            assert "credentials" in str(error)
            assert not error.retryable

    def test_a_bucket_in_another_region(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        def elsewhere(*_: object, **__: object) -> None:
            raise ClientError({"Error": {"Code": "AuthorizationHeaderMalformed"}}, "ListObjectsV2")

        monkeypatch.setattr(bucket.fs, "call_s3", elsewhere)
        assert "in another region" in str(refused(self.at(bucket.fs, bucket.name)))

    def test_a_store_out_of_reach(self, bucket: Bucket, by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        fs = by(*WRITER, endpoint_url="http://127.0.0.1:9", config_kwargs={"retries": {"max_attempts": 1}})
        fs.retries = 1
        assert refused(self.at(fs, bucket.name)).retryable


class TestAzure:
    def at(self, fs: Any, container: str) -> Destination:
        return Destination(fs, f"{container}/a/x.csv", f"abfs://conn@{container}/a/x.csv")

    @pytest.mark.parametrize("permissions", ["cw", "racwdl"])
    def test_a_container_that_is_there(self, azure_store: AzureStore, permissions: str) -> None:
        name = azure_store.container()
        told = azure_store.connection_string_with_sas(name, permissions)
        for fs in (azure_store.filesystem(), azure_store.filesystem(connection_string=told)):
            probe(self.at(fs, name), DEFAULTS)
            close_filesystem(fs)

    def test_a_missing_container(self, azure_store: AzureStore) -> None:
        fs = azure_store.filesystem()
        error = refused(self.at(fs, "missing"))
        close_filesystem(fs)
        assert "Create the bucket or container" in str(error)
        assert not error.retryable


class TestGcs:
    def at(self, fs: Any, bucket: str) -> Destination:
        return Destination(fs, f"{bucket}/a/x.csv", f"gs://conn@{bucket}/a/x.csv")

    def test_a_bucket_that_is_there(self, gcs_protocol_bucket: GcsBucket) -> None:
        fs = gcs_protocol_bucket.filesystem()
        probe(self.at(fs, gcs_protocol_bucket.name), DEFAULTS)
        assert gcs_protocol_bucket.keys() == []

    def test_a_missing_bucket(self, gcs_protocol_bucket: GcsBucket) -> None:
        error = refused(self.at(gcs_protocol_bucket.filesystem(), "missing"))
        assert "Create the bucket" in str(error)
        assert not error.retryable

    def test_who_may_only_write_is_fine(self, gcs_protocol_bucket: GcsBucket, gcs_server: GcsStore) -> None:
        gcs_server.faults.append(Fault("read", 403))
        probe(self.at(gcs_protocol_bucket.filesystem(), gcs_protocol_bucket.name), DEFAULTS)
        assert gcs_server.faults[0].struck == 1
