"""What is at the destination already: replaced, refused, or recognised as this very result."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import fsspec
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError, InvalidRequestError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer import job_download
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.replacing import make_way
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from tests.transfer.conftest import ClientFor, left_in, local

OLD = "yesterday's\n"


def stored(emulator: Emulator) -> int:
    return [request.operation for request in emulator.requests].count("store")


@pytest.fixture
def memory() -> Any:
    fs = fsspec.filesystem("memory")
    root = f"/{uuid.uuid4().hex}"
    yield Destination(fs, f"{root}/result.csv", f"memory://{root}/result.csv")
    if fs.exists(root):
        fs.rm(root, recursive=True)


def test_an_existing_object_is_replaced_by_default(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    (tmp_path / "result.csv").write_text(OLD)
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    assert (tmp_path / "result.csv").stat().st_size == landing.bytes
    assert left_in(tmp_path) == ["result.csv"]


def test_an_unknown_policy_is_refused(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r'must be "replace", "error" or "skip", not '):
        download(client_for("apartmentiq"), "1", local(tmp_path), if_exists="overwrite")  # type: ignore[arg-type]
    assert emulator.requests == []


class TestError:
    @pytest.mark.parametrize("dangling", [False, True])
    def test_what_is_there_is_told_before_anything_is_asked_for(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, dangling: bool
    ) -> None:
        target = tmp_path / "result.csv"
        target.symlink_to(tmp_path / "nowhere") if dangling else target.write_text(OLD)
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        with pytest.raises(DestinationError, match="exists already") as caught:
            download(client_for("apartmentiq"), job.id, local(target), if_exists="error")
        assert not caught.value.retryable
        assert "download" not in [request.operation for request in emulator.requests]
        assert target.is_symlink() == dangling
        assert dangling or target.read_text() == OLD
        assert len(list(tmp_path.iterdir())) == 1

    def test_in_a_folder_it_is_told_once_the_name_is_known(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path
    ) -> None:
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        landing = download(client, job.id, local(tmp_path, folder=True), if_exists="error")
        [name] = left_in(tmp_path)
        before = (tmp_path / name).stat()
        with pytest.raises(DestinationError, match="exists already"):
            download(client, job.id, local(tmp_path, folder=True), if_exists="error")
        assert (tmp_path / name).stat() == before
        assert left_in(tmp_path) == [Path(landing.files[0].uri).name]

    @pytest.mark.parametrize("name", ["export_manifest.json", "export-part-0002.jsonl"])
    def test_any_part_and_the_manifest_count(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_text(OLD)
        job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=2), state="succeeded")
        with pytest.raises(DestinationError, match=name):
            download(client_for("batchcom"), job.id, local(tmp_path / "export.jsonl"), if_exists="error")
        assert stored(emulator) == 0
        assert left_in(tmp_path) == [name]

    def test_what_appears_meanwhile_is_kept(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "result.csv"
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")

        def meanwhile(*arguments: Any) -> Any:
            target.write_text("another writer's")
            return make_way(*arguments)

        monkeypatch.setattr(job_download, "make_way", meanwhile)
        with pytest.raises(DestinationError, match="exists already") as caught:
            download(client_for("apartmentiq"), job.id, local(target), if_exists="error")
        assert not caught.value.retryable
        assert target.read_text() == "another writer's"
        assert left_in(tmp_path) == ["result.csv"]

    def test_without_hard_links_it_is_asked_again_and_said(
        self,
        emulator: Emulator,
        client_for: ClientFor,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def no_links(*_: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        download(client, job.id, local(tmp_path / "result.csv"), if_exists="error")
        assert "no hard links" in caplog.text
        with pytest.raises(DestinationError, match="exists already"):
            write_small(fsspec.filesystem("file"), str(tmp_path / "result.csv"), "x", b"1", create_only=True)
        assert left_in(tmp_path) == ["result.csv"]

    def test_another_store(self, emulator: Emulator, client_for: ClientFor, memory: Destination) -> None:
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        download(client, job.id, memory, if_exists="error")
        with pytest.raises(DestinationError, match="exists already"):
            download(client, job.id, memory, if_exists="error")
        with pytest.raises(DestinationError, match="exists already"):
            write_small(memory.fs, memory.path, memory.uri, b"1", create_only=True)
        assert memory.fs.info(memory.path)["size"] == job.files()[0].size
        assert stored(emulator) == 1

    def test_a_store_that_does_not_tell_is_not_written_to(
        self, emulator: Emulator, client_for: ClientFor, memory: Destination, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> Any:
            raise PermissionError("no")

        monkeypatch.setattr(type(memory.fs), "info", refuse)
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        with pytest.raises(DestinationError, match="check whether an object exists"):
            download(client_for("apartmentiq"), job.id, memory, if_exists="error")
        assert stored(emulator) == 0


class TestSkip:
    @pytest.mark.parametrize("parts", [1, 3])
    @pytest.mark.parametrize("folder", [False, True])
    def test_a_finished_download_is_not_repeated(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, parts: int, folder: bool
    ) -> None:
        client = client_for("batchcom")
        job = emulator.add_job(
            "batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=parts), state="succeeded"
        )
        place = local(tmp_path if folder else tmp_path / "export.jsonl", folder=folder)
        first = download(client, job.id, place, if_exists="skip")
        before, since = left_in(tmp_path), len(emulator.requests)
        assert len(before) == parts + 1
        second = download(client, job.id, place, if_exists="skip")
        assert second == first
        assert len(emulator.requests) == since + 1
        assert left_in(tmp_path) == before

    def test_the_recorded_landing_was_not_resumed_now(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path
    ) -> None:
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=90_000, format="csv"), state="succeeded")
        emulator.add_fault(Fault("cut", operation="store", after_bytes=1000))
        assert download(client, job.id, local(tmp_path / "x.csv"), if_exists="skip").resumed == 1
        assert download(client, job.id, local(tmp_path / "x.csv"), if_exists="skip").resumed == 0

    def test_another_store(self, emulator: Emulator, client_for: ClientFor, memory: Destination) -> None:
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        first = download(client, job.id, memory, if_exists="skip")
        assert download(client, job.id, memory, if_exists="skip") == first
        assert stored(emulator) == 1

    @pytest.mark.parametrize(
        "change",
        [
            "gone",
            "shorter",
            "rewritten",
            "no manifest",
            "torn manifest",
            "other job",
            "other total",
            "other name",
            "list",
        ],
    )
    def test_anything_else_is_replaced(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, change: str
    ) -> None:
        client = client_for("apartmentiq")
        job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
        target, manifest = tmp_path / "x.csv", tmp_path / "x_manifest.json"
        download(client, job.id, local(target), if_exists="skip")
        facts = json.loads(manifest.read_text())
        match change:
            case "gone":
                target.unlink()
            case "shorter":
                os.truncate(target, 100)
                os.utime(target, (0, 0))
            case "rewritten":  # of the same size, but after the manifest
                target.write_bytes(bytes(9_000))
                later = manifest.stat().st_mtime + 1
                os.utime(target, (later, later))
            case "no manifest":
                manifest.unlink()
            case "torn manifest":
                manifest.write_text(manifest.read_text()[:100])
            case "other job":
                manifest.write_text(json.dumps({**facts, "job_id": "another"}))
            case "other total":
                manifest.write_text(json.dumps({**facts, "bytes": "many"}))
            case "other name":
                facts["files"][0]["uri"] = str(tmp_path / "y.csv")
                manifest.write_text(json.dumps(facts))
            case "list":
                manifest.write_text("[1]")
        landing = download(client, job.id, local(target), if_exists="skip")
        assert stored(emulator) == 2
        assert target.stat().st_size == landing.bytes
        assert Landing.from_dict(json.loads(manifest.read_text())) == landing

    def test_another_job_of_the_same_size_is_another_result(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path
    ) -> None:
        client = client_for("apartmentiq")
        spec = ResultSpec(bytes=9_000, format="csv")
        first, second = (emulator.add_job("apartmentiq", result=spec, state="succeeded") for _ in range(2))
        place = local(tmp_path / "x.csv")
        download(client, first.id, place, if_exists="skip")
        download(client, second.id, place)  # without a manifest: the first one's stays
        landing = download(client, first.id, place, if_exists="skip")
        assert stored(emulator) == 3
        assert landing.files[0].sha256 == first.files()[0].sha256
