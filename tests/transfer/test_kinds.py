"""Files that come with a result: only results have the user's file name, and go into XCom; the others land beside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl._tasks.assets import extra_of
from airflow_provider_batchdl.exceptions import DestinationError, EmptyResultError
from airflow_provider_batchdl.jobs import Landing, ResultFile
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download, fetch
from airflow_provider_batchdl.transfer.manifest import own_files
from airflow_provider_batchdl.transfer.numbering import numbered
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from tests.support.linked_vendor import JOB, LinkedService, Served, client_of, linked_service
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.conftest import left_in, local

ROWS = b"word\none\ntwo\n"
WRONG = b"word,reason\nthree,odd\n"


@pytest.fixture
def service() -> Iterator[LinkedService]:
    with linked_service() as service:
        service.files["x.csv"] = Served(ROWS)
        service.files["y.csv"] = Served(WRONG, kind="errors")
        yield service


def test_others_land_beside_the_object_that_the_user_named(service: LinkedService, tmp_path: Path) -> None:
    with client_of(service) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"))
    assert left_in(tmp_path) == ["out.csv", "out.errors.csv", "out_manifest.json"]
    assert ((tmp_path / "out.csv").read_bytes(), (tmp_path / "out.errors.csv").read_bytes()) == (ROWS, WRONG)
    assert [(file.kind, file.part, file.rows) for file in landing.files] == [("result", None, 2), ("errors", None, 1)]
    assert Landing.from_dict(json.loads((tmp_path / "out_manifest.json").read_text())) == landing
    extra = extra_of(landing)
    assert (extra["uris"], extra["rows"], extra["bytes"]) == ([f"{tmp_path}/out.csv"], 2, len(ROWS))
    assert extra["others"] == {"errors": [f"{tmp_path}/out.errors.csv"]}


def test_in_a_folder_they_have_their_own_names(service: LinkedService, tmp_path: Path) -> None:
    with client_of(service) as client:
        download(client, JOB, local(tmp_path, folder=True))
    assert left_in(tmp_path) == ["_manifest.json", "x.csv", "y.errors.csv"]


def test_each_kind_is_numbered_by_itself(service: LinkedService, tmp_path: Path) -> None:
    service.files = {
        "e.csv": Served(WRONG, kind="errors"),
        "a.csv": Served(ROWS, part=2),
        "b.csv": Served(ROWS, part=1),
    }
    with client_of(service) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"))
        assert fetch(client, JOB, max_bytes=2 * len(ROWS)) == [{"word": "one"}, {"word": "two"}] * 2
    assert [Path(file.uri).name for file in landing.files] == [
        "out-part-0001.csv",
        "out-part-0002.csv",
        "out.errors.csv",
    ]
    assert [Path(file.uri).name for file in landing.results] == ["out-part-0001.csv", "out-part-0002.csv"]
    two = (ResultFile("1", kind="errors"), ResultFile("2", kind="errors"), ResultFile("3", part=9))
    assert [(file.id, file.part) for file in numbered(two)] == [("3", None), ("1", 1), ("2", 2)]


def test_only_results_are_fetched(service: LinkedService) -> None:
    with client_of(service) as client:
        assert fetch(client, JOB, max_bytes=len(ROWS)) == [{"word": "one"}, {"word": "two"}]
    assert [name for name, _ in service.stored] == ["x.csv"]


def test_an_errors_file_is_no_error_in_the_results_place(service: LinkedService, tmp_path: Path) -> None:
    error = b'{"error": {"code": "server_error", "message": "one of the records"}}'
    service.files["y.csv"] = Served(error, kind="errors", headers={"Content-Type": "application/json"})
    with client_of(service) as client:
        download(client, JOB, local(tmp_path / "out.json"))
    assert (tmp_path / "out.errors.json").read_bytes() == error


def test_a_result_that_is_complete_is_skipped_with_all_its_kinds(service: LinkedService, tmp_path: Path) -> None:
    with client_of(service) as client:
        first = download(client, JOB, local(tmp_path / "out.csv"), if_exists="skip")
        assert download(client, JOB, local(tmp_path / "out.csv"), if_exists="skip") == first
        assert len(service.stored) == 2
        service.files["z.csv"] = Served(WRONG, kind="skipped")
        assert len(download(client, JOB, local(tmp_path / "out.csv"), if_exists="skip").files) == 3
        (tmp_path / "out.skipped.csv").unlink()
        download(client, JOB, local(tmp_path / "out.csv"), if_exists="skip")
    assert (tmp_path / "out.skipped.csv").read_bytes() == WRONG


def test_an_existing_object_of_any_kind_is_in_the_way(service: LinkedService, tmp_path: Path) -> None:
    (tmp_path / "out.errors.csv").write_text("somebody's")
    with client_of(service) as client, pytest.raises(DestinationError, match=r"out\.errors\.csv"):
        download(client, JOB, local(tmp_path / "out.csv"), if_exists="error")
    assert service.stored == []


def test_a_killed_try_is_resumed_in_each_kind(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, wrong = b"word\n" + b"one\n" * 700_000, b"word\n" + b"odd\n" * 700_000
    service.files = {"x.csv": Served(rows), "y.csv": Served(wrong, kind="errors")}
    write, finalize = LocalSink.write, LocalSink.finalize
    done: list[LocalSink] = []

    def interrupted(self: LocalSink, data: bytes) -> None:
        write(self, data)
        if done and self.written > 1_500_000:
            raise KeyboardInterrupt

    def counted(self: LocalSink) -> None:
        finalize(self)
        done.append(self)

    with client_of(service) as client:
        with monkeypatch.context() as patched:
            patched.setattr(LocalSink, "write", interrupted)
            patched.setattr(LocalSink, "finalize", counted)
            with pytest.raises(KeyboardInterrupt):
                download(client, JOB, local(tmp_path / "out.csv"))
        landing = download(client, JOB, local(tmp_path / "out.csv"))
    assert (landing.resumed, landing.restarted) == (2, 0)
    assert ((tmp_path / "out.csv").read_bytes(), (tmp_path / "out.errors.csv").read_bytes()) == (rows, wrong)


@pytest.mark.parametrize("on_empty", ["fail", "land"])
def test_errors_alone_are_no_result(service: LinkedService, tmp_path: Path, on_empty: str) -> None:
    (tmp_path / "out.csv").write_text("the previous result")
    del service.files["x.csv"]
    with client_of(service) as client:
        if on_empty == "fail":
            with pytest.raises(EmptyResultError, match="but errors"):
                download(client, JOB, local(tmp_path / "out.csv"))
            assert left_in(tmp_path) == ["out.csv"]
            return
        landing = download(client, JOB, local(tmp_path / "out.csv"), on_empty="land")
        assert fetch(client, JOB, on_empty="land", max_bytes=1_000) == []
    assert landing.results == ()
    assert left_in(tmp_path) == ["out.errors.csv"]


def test_two_files_of_one_name_are_refused(service: LinkedService, tmp_path: Path) -> None:
    service.files = {"x.errors.csv": Served(ROWS), "X.csv": Served(WRONG, kind="errors")}
    with client_of(service) as client:
        with pytest.raises(DestinationError, match="would land at") as caught:
            download(client, JOB, local(tmp_path, folder=True))
        assert not caught.value.retryable
        assert left_in(tmp_path) == []
        download(client, JOB, local(tmp_path / "out.csv"))


@pytest.mark.parametrize("keep", ["all", "latest"])
def test_the_result_of_another_job_stays_in_a_folder(service: LinkedService, tmp_path: Path, keep: str) -> None:
    with client_of(service) as client:
        download(client, JOB, local(tmp_path, folder=True), keep=keep)  # type: ignore[arg-type]
        service.files = {"z.csv": Served(ROWS)}
        download(client, "8", local(tmp_path, folder=True), keep=keep)  # type: ignore[arg-type]
    stays = ["x.csv", "y.errors.csv"] if keep == "all" else []
    assert left_in(tmp_path) == ["_manifest.json", *stays, "z.csv"]


def test_a_retried_job_removes_what_it_no_longer_has(service: LinkedService, tmp_path: Path) -> None:
    with client_of(service) as client:
        download(client, JOB, local(tmp_path / "out.csv"))
        del service.files["y.csv"]
        download(client, JOB, local(tmp_path / "out.csv"))
    assert left_in(tmp_path) == ["out.csv"]


def test_a_kind_in_a_manifest_that_is_none_leads_nowhere(tmp_path: Path) -> None:
    for kind in ("../../etc/passwd", "", "Errors", 7, None, "x/y"):
        file = {"uri": f"{tmp_path}/x.{kind}.csv", "bytes": 1, "sha256": None, "source_name": "x.csv", "kind": kind}
        record = Landing.from_dict({"job_id": "1", "vendor": "v", "files": [file], "bytes": 1, "seconds": 1})
        assert own_files(local(tmp_path, folder=True), record) == []


@pytest.mark.parametrize("kind", ["", "a/b", "..", "Errors", "two words", "x" * 33, "-a"])
def test_a_kind_is_one_plain_word(kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        ResultFile("1", kind=kind)


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def test_on_s3(service: LinkedService, bucket: Bucket) -> None:
    place = Destination(bucket.fs, f"{bucket.name}/out.csv", f"s3://conn@{bucket.name}/out.csv")
    with client_of(service) as client:
        landing = download(client, JOB, place)
    assert set(bucket.keys()) == {"out.csv", "out.errors.csv", "out_manifest.json"}
    assert (bucket.read("out.csv"), bucket.read("out.errors.csv")) == (ROWS, WRONG)
    assert [file.kind for file in landing.files] == ["result", "errors"]
