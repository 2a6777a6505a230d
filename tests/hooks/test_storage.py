"""A destination means what was written, or is refused."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, InvalidRequestError
from airflow_provider_batchdl.hooks._storage import check_connection, destination_at
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.destination_text import Written, check_round_trip, parse_destination
from tests.support.airflow_features import needs_arns

REFUSED = [
    "",
    # 255 bytes of a local name, 1,024 of a key, and 37 of them for what is beside an object.
    "/tmp/" + "x" * 219,
    "/tmp/" + "ä" * 110,
    "/tmp/" + "d" * 256 + "/",
    "/tmp/" + "d" * 256 + "/x.csv",
    "file:///tmp/" + "x" * 215 + ".csv",
    "s3://bucket/" + "k" * 988,
    "s3://bucket/" + "k" * 1025 + "/",
    " ",
    "\n",
    "out.csv",
    "out/",
    "./out/",
    "../out.csv",
    ".",
    "~",
    "~/out.csv",
    "~root/out.csv",
    " /tmp/x.csv",
    "/tmp/x.csv ",
    "/tmp/x.csv\n",
    "s3://bucket/key\n",
    "/tmp/a\tb.csv",
    "s3://bucket/a\rb",
    "/tmp/x\0.csv",
    "/tmp/x\x85.csv",
    "/tmp/\ud83d.csv",
    "s3://bucket/\ud83d",
    "C:\\out\\x.csv",
    "C:/out/x.csv",
    "/tmp\\x.csv",
    "\\\\host\\share\\x.csv",
    "//host/share/x.csv",
    "/tmp//x.csv",
    "/tmp/x//",
    "///tmp/x.csv",
    "/tmp/../x.csv",
    "/tmp/./x.csv",
    "/tmp/.",
    "/tmp/..",
    "/tmp/../",
    "file:/tmp/x.csv",
    "file:x.csv",
    "file://",
    "file://tmp/x.csv",
    "file://localhost/tmp/x.csv",
    "file://host/tmp/x.csv",
    "file:////tmp/x.csv",
    "file:///tmp/dag::monday/x.csv",
    "file:///tmp/../x.csv",
    "local://tmp/x.csv",
    "s3:/bucket/x",
    "s3:bucket/x",
    "s3://",
    "s3:///key",
    "s3://bucket",
    "s3://conn@bucket",
    "s3://conn@/key",
    "s3://@bucket/key",
    "s3://AKIA:hunter@bucket/key",
    "s3://AKIA:hun/hunter@bucket/key",
    "s3://AKIA:hunter/key",
    "s3://AKIA:hunter@bucket/a\\b",
    "s3://AKIA:hun/hunter@bucket/a::b",
    "abfs://conn@container/x.csv?sv=2024&sig=hunter",
    "s3://bucket/x.csv?X-Amz-Credential=a&X-Amz-Signature=hunter",
    "/tmp" + "/d" * 1_930 + "/" + "x" * 200,
    "/tmp" + "/d" * 1_920 + "/",
    "s3://bucket//key",
    "s3://bucket/a//b",
    "s3://bucket/a/../b",
    "s3://bucket/./b",
    "s3://bucket/..",
    "s3://bucket/dag::monday/x.csv",
    "s3://bucket/x.csv?versionId=3",
    "s3a://bucket/x.csv?versionId=3",
    "simplecache::s3://bucket/key",
    "filecache::file:///tmp/x.csv",
    "zip://x.csv::s3://bucket/archive.zip",
    "abfs://container@account.dfs.core.windows.net/x.csv",
    "/tmp/.x.csv.0123456789abcdef.part",
    "/tmp/_manifest.json",
    "s3://bucket/a/_Manifest.json",
    "/tmp/.batchdl/x.csv",
    "s3://bucket/.batchdl/",
]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, so that nobody is asked for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_what_would_mean_something_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        destination_at(text)
    assert not caught.value.retryable
    str(caught.value).encode()  # it goes into logs and events
    assert "hunter" not in f"{caught.value}{caught.value.to_dict()}"
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("text", ["memory://x/y.csv", "http://host/x", "nowhere://bucket/key", "sftp://host/x"])
def test_a_scheme_that_nobody_serves_is_said(text: str) -> None:
    with pytest.raises(DestinationError) as caught:
        destination_at(text)
    assert not caught.value.retryable


KEPT = {
    **{text: text for text in ("/tmp/" + "x" * 218, "/tmp/" + "d" * 255 + "/")},
    "s3://bucket/" + "k" * 987: "bucket/" + "k" * 987,
    "/tmp/landed/x.csv": "/tmp/landed/x.csv",
    "/tmp/landed/": "/tmp/landed/",
    "/": "/",
    "/tmp/dag::monday/x.csv": "/tmp/dag::monday/x.csv",
    "/tmp/100%/a%20b.csv": "/tmp/100%/a%20b.csv",
    "/tmp/a b/x [1]*?.csv": "/tmp/a b/x [1]*?.csv",
    "/tmp/a#b?c=d.csv": "/tmp/a#b?c=d.csv",
    "/tmp/~/.hidden/.x": "/tmp/~/.hidden/.x",
    "/tmp/manual__2026-11-29T08:00:00+00:00/": "/tmp/manual__2026-11-29T08:00:00+00:00/",
    "file:///tmp/landed/x.csv": "/tmp/landed/x.csv",
    "FILE:///tmp/landed/": "/tmp/landed/",
    "file:///tmp/a%20b#c?d.csv": "/tmp/a%20b#c?d.csv",
    "/tmp" + "/d" * 1_850 + "/" + "x" * 200: "/tmp" + "/d" * 1_850 + "/" + "x" * 200,
    "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/x": "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/x",
    "s3://bucket/": "bucket/",
    "s3://bucket/key": "bucket/key",
    "s3://bucket/a/b/": "bucket/a/b/",
    "S3://bucket/a%2Fb": "bucket/a%2Fb",
    "s3://bucket/a b#c?d=e*[1]": "bucket/a b#c?d=e*[1]",
    "s3://bucket/été/x.csv": "bucket/été/x.csv",
    "s3://bucket/e\u0301te\u0301/x.csv": "bucket/e\u0301te\u0301/x.csv",
    "s3a://bucket/run/manual__2026-11-29T08:00:00+00:00/x": "bucket/run/manual__2026-11-29T08:00:00+00:00/x",
}


@pytest.mark.parametrize(
    "text", [pytest.param(each, marks=needs_arns if "arn:" in each else ()) for each in KEPT], ids=ascii
)
def test_everything_else_is_read_as_it_is_written(text: str) -> None:
    place = destination_at(text)
    assert (place.path, place.uri) == (KEPT[text], text)
    assert place.is_folder == text.endswith("/")


def test_a_connection_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", '{"conn_type": "aws"}')
    place = destination_at("s3://lake@bucket/key/")
    assert (place.path, place.uri) == ("bucket/key/", "s3://lake@bucket/key/")


class TestProof:
    """The stores themselves, none of which is asked."""

    @pytest.mark.parametrize(
        ("protocol", "text", "options"),
        [
            ("s3", "s3://bucket/x?versionId=3", {"anon": True}),
            ("s3", "s3://bucket/x?versionId=3", {"anon": True, "version_aware": True}),
            ("gs", "gs://bucket/x#1234", {"token": "anon", "version_aware": True}),
            ("gs", "gs://bucket/x?generation=1234", {"token": "anon", "version_aware": True}),
            ("abfs", "abfs://container/x?versionid=3", {"account_name": "a", "anon": True}),
        ],
    )
    def test_a_version_is_no_place_to_write_to(self, protocol: str, text: str, options: dict[str, Any]) -> None:
        fs = fsspec.filesystem(protocol, skip_instance_cache=True, **options)
        place = Destination(fs, text.partition("://")[2], text)
        with pytest.raises(InvalidRequestError, match="to the store"):
            check_round_trip(text, parse_destination(text), place, None)

    @pytest.mark.parametrize("name", ["x", "x#y", "a/b c/", "a?b"])
    @pytest.mark.parametrize(
        ("protocol", "options"),
        [("s3", {"anon": True}), ("gs", {"token": "anon"}), ("abfs", {"account_name": "a", "anon": True})],
    )
    def test_others_are(self, protocol: str, options: dict[str, Any], name: str) -> None:
        text = f"{protocol}://bucket/{name}"
        place = Destination(fsspec.filesystem(protocol, **options), f"bucket/{name}", text)
        check_round_trip(text, parse_destination(text), place, None)

    def test_another_path_or_connection_is_none(self) -> None:
        text, fs = "s3://lake@bucket/x", fsspec.filesystem("s3", anon=True)
        with pytest.raises(InvalidRequestError, match="'bucket/y' to the store"):
            check_round_trip(text, parse_destination(text), Destination(fs, "bucket/y", text), "lake")
        with pytest.raises(InvalidRequestError, match="another connection"):
            check_round_trip(text, parse_destination(text), Destination(fs, "bucket/x", text), None)


class TestPathObjects:
    @pytest.mark.parametrize(
        "path",
        [
            ObjectStoragePath("s3://bucket/verified/"),
            ObjectStoragePath("s3://bucket") / "verified/",
            ObjectStoragePath("s3://bucket/verified") / "",
            ObjectStoragePath("file:///tmp/never-made/verified/"),
            ObjectStoragePath("s3://bucket/v1.csv/"),
        ],
        ids=str,
    )
    def test_a_slash_that_it_dropped_is_put_back(self, path: ObjectStoragePath) -> None:
        place = destination_at(path)
        assert place.is_folder
        assert place.uri == f"{path}/"

    @pytest.mark.parametrize(
        "path",
        [
            ObjectStoragePath("s3://bucket/verified/x.csv"),
            ObjectStoragePath("/tmp/verified/x.csv.gz"),
            Path("/tmp/verified/x.csv"),
        ],
        ids=str,
    )
    def test_a_name_with_a_suffix_is_an_object(self, path: Any) -> None:
        assert destination_at(path).uri == str(path)

    def test_a_folder_that_exists_is_one(self, tmp_path: Path) -> None:
        for path in (tmp_path, ObjectStoragePath(str(tmp_path)), ObjectStoragePath(f"file://{tmp_path}")):
            assert destination_at(path).uri == f"{path}/"  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["verified", "2026.11.29"])
    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_what_may_be_either_is_refused(self, tmp_path: Path, scheme: str, name: str) -> None:
        with pytest.raises(InvalidRequestError, match="ending in '/'"):
            destination_at(ObjectStoragePath(f"{scheme}{tmp_path}/{name}"))

    @pytest.mark.parametrize("value", [5, ["/tmp/x.csv"], b"/tmp/x.csv", {}])
    def test_what_is_no_text_is_refused(self, value: Any) -> None:
        with pytest.raises(InvalidRequestError):
            destination_at(value)


class TestWhatIsThere:
    def test_what_no_file_can_replace_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "link").symlink_to("fifo")
        with socket.socket(socket.AF_UNIX) as listening:
            monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
            listening.bind("socket")
            for path in (f"{tmp_path}/fifo", f"{tmp_path}/link", f"file://{tmp_path}/socket", "/dev/null"):
                with pytest.raises(DestinationError, match="a FIFO, a device or a socket") as caught:
                    destination_at(path)
                assert not caught.value.retryable

    def test_a_folder_and_a_file_are_not_one_another(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for path in (str(tmp_path), f"{tmp_path}/file/"):
            with pytest.raises(BatchDlError, match="folder") as caught:
                destination_at(path)
            assert not caught.value.retryable

    def test_links_to_files_are_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to("file")
        (tmp_path / "nowhere").symlink_to("never")
        for name in ("file", "link", "nowhere", "new", "new/new"):
            destination_at(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("scheme", "conn_type"),
    [("s3", "http"), ("s3a", "proofy"), ("s3", "google_cloud_platform"), ("gs", "aws"), ("abfs", "batchcom")],
)
def test_a_connection_that_is_surely_no_stores_is_refused(
    monkeypatch: pytest.MonkeyPatch, scheme: str, conn_type: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": conn_type}))
    with pytest.raises(DestinationError, match=rf"'lake' is of type '{conn_type}', and {scheme}:// takes") as caught:
        check_connection(Written("lake", "bucket/x"), scheme)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("scheme", "conn_type"),
    [
        *(("s3", kind) for kind in ("aws", "s3", "generic", "minio")),
        ("gcs", "google_cloud_platform"),
        ("abfs", "wasb"),
        ("abfss", "adls"),
        ("mystore", "http"),
        ("file", "http"),
    ],
)
def test_a_connection_that_may_be_one_is_not(monkeypatch: pytest.MonkeyPatch, scheme: str, conn_type: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": conn_type}))
    check_connection(Written("lake", "bucket/x"), scheme)


def test_what_is_attached_serves_that_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one whose id it only begins with: that would go out with whatever credentials the machine has."""
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    attach(protocol="s3", conn_id="lake_of_mine", fs=fsspec.filesystem("memory"))
    check_connection(Written("lake_of_mine", "bucket/x"), "s3")
    for near in ("lake", "lake_of", "lake_of_min"):
        with pytest.raises(DestinationError, match="does not find the connection"):
            check_connection(Written(near, "bucket/x"), "s3")
