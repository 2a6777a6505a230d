"""A result that replaces another: the manifest goes first, what only the old one had goes with it, nobody else's."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download
from tests.support.mortal_store import Killed, MortalStore
from tests.transfer.conftest import ClientFor, left_in, local

OLD = "somebody's\n"


def export(emulator: Emulator, parts: int) -> EmulatedJob:
    return emulator.add_job("batchcom", result=ResultSpec(bytes=3_000 * parts, format="jsonl", parts=parts))


@pytest.fixture(params=[False, True], ids=["object", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    return local(tmp_path, folder=True) if request.param else local(tmp_path / "x.jsonl")


@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2), (2, 3), (3, 3)])
def test_only_the_new_result_is_left(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, before: int, after: int
) -> None:
    (tmp_path / "somebody.jsonl").write_text(OLD)
    client = client_for("batchcom")
    download(client, export(emulator, before).id, place)
    landing = download(client, export(emulator, after).id, place)
    names = {Path(file.uri).name for file in landing.files}
    manifest = set() if after == 1 else {"_manifest.json" if place.is_folder else "x_manifest.json"}
    assert set(left_in(tmp_path)) == {"somebody.jsonl"} | names | manifest
    for name in manifest:
        assert Landing.from_dict(json.loads((tmp_path / name).read_text())) == landing


def test_a_single_object_replaced_without_a_manifest_loses_the_one_that_vouched_for_it(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client, place = client_for("batchcom"), local(tmp_path / "x.jsonl")
    download(client, export(emulator, 1).id, place, manifest=True)
    download(client, export(emulator, 1).id, place, manifest=False)
    assert left_in(tmp_path) == ["x.jsonl"]


def test_in_a_shared_folder_single_files_leave_one_another_alone(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client, place = client_for("batchcom"), local(tmp_path, folder=True)
    download(client, export(emulator, 1).id, place, if_exists="skip")
    first = left_in(tmp_path)
    download(client, export(emulator, 1).id, place)
    assert set(first) < set(left_in(tmp_path))
    download(client, export(emulator, 1).id, place, if_exists="skip")
    assert len(left_in(tmp_path)) == 4


def test_without_manifests_results_of_several_parts_share_a_folder(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client, place = client_for("batchcom"), local(tmp_path, folder=True)
    download(client, export(emulator, 2).id, place)
    download(client, export(emulator, 3).id, place, manifest=False)
    assert len(left_in(tmp_path)) == 2 + 1 + 3


def test_another_object_whose_name_begins_alike_is_left_alone(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client = client_for("batchcom")
    download(client, export(emulator, 2).id, local(tmp_path / "x.jsonl"))
    download(client, export(emulator, 1).id, local(tmp_path / "x.json"))
    assert left_in(tmp_path) == ["x-part-0001.jsonl", "x-part-0002.jsonl", "x.json", "x_manifest.json"]


@pytest.mark.parametrize("change", ["size", "later"])
def test_what_has_changed_since_is_somebody_elses(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, change: str
) -> None:
    client = client_for("batchcom")
    landing = download(client, export(emulator, 3).id, place)
    third = Path(landing.files[2].uri)
    if change == "size":
        third.write_text(OLD)
        os.utime(third, (0, 0))
    else:
        later = third.stat().st_mtime + 60
        os.utime(third, (later, later))
    download(client, export(emulator, 1).id, place)
    assert third.exists()
    assert len(left_in(tmp_path)) == 2


HOSTILE: list[Any] = [
    {"uri": "{folder}/../outside.jsonl", "source_name": "../outside.jsonl"},
    {"uri": "{folder}/../outside.jsonl", "source_name": "outside.jsonl"},
    {"uri": "/etc/passwd", "source_name": "/etc/passwd"},
    {"uri": "{folder}/sub/inside.jsonl", "source_name": "sub/inside.jsonl"},
    {"uri": "{folder}/.hidden", "source_name": ".hidden"},
    {"uri": "{folder}/*", "source_name": "*"},
    {"uri": "{folder}/inside.jsonl", "source_name": None},
    {"uri": "{folder}/inside.jsonl", "source_name": ["inside.jsonl"]},
    {"uri": None, "source_name": "inside.jsonl"},
    {"uri": "{folder}/inside.jsonl", "source_name": "inside.jsonl", "part": "1"},
    {"uri": "{folder}/inside.jsonl", "source_name": "inside.jsonl", "part": -1},
    {"uri": "{folder}/inside.jsonl", "source_name": "inside.jsonl", "part": 10**400},
    {"uri": "{folder}/inside.jsonl", "source_name": "inside.jsonl", "bytes": "11"},
    "inside.jsonl",
    None,
]


@pytest.mark.parametrize("file", HOSTILE, ids=str)
def test_nothing_that_a_manifest_says_leads_elsewhere(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, file: Any
) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    victims = [tmp_path / "outside.jsonl", folder / "inside.jsonl", folder / "sub/inside.jsonl", folder / ".hidden"]
    for victim in victims:
        victim.write_text(OLD)
    if isinstance(file, dict):
        base = {"bytes": len(OLD), "sha256": None, "part": None}
        file = {**base, **file}
        if file["uri"]:
            file["uri"] = file["uri"].replace("{folder}", str(folder))
    manifest = {"job_id": "1", "vendor": "batchcom", "files": [file, file], "bytes": 1, "seconds": 1}
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    download(client_for("batchcom"), export(emulator, 2).id, local(folder, folder=True))
    for victim in victims:
        assert victim.read_text() == OLD
    assert len(left_in(folder)) == 3 + 3


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"nothing", b"[" * 100_000, b'{"files": 1}', b"\xff"])
def test_a_manifest_that_is_none_gives_way_to_a_new_one_only(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "_manifest.json").write_bytes(content)
    client, place = client_for("batchcom"), local(tmp_path, folder=True)
    download(client, export(emulator, 1).id, place)
    assert (tmp_path / "_manifest.json").read_bytes() == content
    landing = download(client, export(emulator, 2).id, place)
    assert Landing.from_dict(json.loads((tmp_path / "_manifest.json").read_text())) == landing


def test_a_store_that_lets_nothing_be_removed_is_told_before_anything_is_visible(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for("batchcom")
    download(client, export(emulator, 2).id, place)

    def shown() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.glob("[!.]*")}

    before = shown()

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "rm_file", refuse)
    with pytest.raises(DestinationError, match="remove the manifest") as caught:
        download(client, export(emulator, 2).id, place)
    assert not caught.value.retryable
    assert "delete" in str(caught.value)
    assert shown() == before


def visible(fs: MemoryFileSystem, folder: str) -> dict[str, bytes]:
    names = [path.rpartition("/")[2] for path in fs.find(folder)] if fs.exists(folder) else []
    return {name: fs.cat_file(f"{folder}/{name}") for name in names if not name.startswith(".")}


def vouched(files: dict[str, bytes]) -> bool:
    """Whether no manifest is there, or all of what it names is, byte for byte."""
    for name in files:
        if name.endswith("_manifest.json"):
            for file in json.loads(files[name])["files"]:
                content = files.get(file["uri"].rpartition("/")[2])
                if content is None or hashlib.sha256(content).hexdigest() != file["sha256"]:
                    return False
    return True


@pytest.mark.parametrize("folder", [False, True], ids=["object", "folder"])
@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2), (2, 3), (3, 0)])
def test_a_kill_before_any_call_leaves_no_manifest_that_is_wrong_and_a_retry_leaves_the_new_result_alone(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], before: int, after: int, folder: bool
) -> None:
    fs, client = mortal(), client_for("batchcom")
    old, new = export(emulator, before), export(emulator, after)
    for kill_at in itertools.count():
        assert kill_at < 60
        base = f"/place{kill_at}"
        name = "" if folder else "x.jsonl"
        place = Destination(fs, f"{base}/{name}", f"mortal:/{base}/{name}")
        mortal.left = -1
        download(client, old.id, place)
        assert len(visible(fs, base)) == before + 1
        mortal.left = kill_at
        try:
            download(client, new.id, place, on_empty="land")
        except Killed:
            killed = True
        else:
            killed = False
        mortal.left = -1
        assert vouched(visible(fs, base)), kill_at
        landing = download(client, new.id, place, on_empty="land")
        wanted = {file.uri.rpartition("/")[2] for file in landing.files}
        manifest = set() if after == 1 else {"_manifest.json" if folder else "x_manifest.json"}
        left = visible(fs, base)
        assert vouched(left), kill_at
        assert set(left) == wanted | manifest, kill_at
        if not killed:
            break
    assert kill_at > 3


@pytest.mark.parametrize("folder", [False, True], ids=["object", "folder"])
def test_a_store_that_fails_at_any_call_leaves_no_manifest_that_is_wrong(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, client = mortal(), client_for("batchcom")
    old, new = export(emulator, 3), export(emulator, 2)

    def fails_once() -> Callable[[Any], None]:
        def live(self: Any) -> None:
            mortal.left -= 1
            if mortal.left == -1:
                raise OSError("the store is out of reach")

        return live

    monkeypatch.setattr(mortal, "_live", fails_once())
    for fail_at in itertools.count():
        assert fail_at < 60
        base = f"/place{fail_at}"
        name = "" if folder else "x.jsonl"
        place = Destination(fs, f"{base}/{name}", f"mortal:/{base}/{name}")
        mortal.left = -100
        download(client, old.id, place)
        mortal.left = fail_at
        failed = False
        try:
            download(client, new.id, place)
        except BatchDlError as error:
            failed = isinstance(error, DestinationError)
            assert failed
        assert vouched(visible(fs, base)), fail_at
        if mortal.left >= 0:
            break
        mortal.left = -100
        landing = download(client, new.id, place)
        assert len(visible(fs, base)) == len(landing.files) + 1, fail_at


@pytest.mark.parametrize("parts", [1, 2])
def test_a_pipe_in_the_manifests_place_is_told_before_anything_is_downloaded(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, parts: int
) -> None:
    os.mkfifo(tmp_path / "x_manifest.json")
    client, place = client_for("batchcom"), local(tmp_path / "x.jsonl")
    with pytest.raises(DestinationError, match="FIFO"):
        download(client, export(emulator, parts).id, place, if_exists="skip")
    assert "store" not in [request.operation for request in emulator.requests]
    assert left_in(tmp_path) == []
    download(client, export(emulator, 1).id, place)
    assert left_in(tmp_path) == ["x.jsonl"]


@pytest.mark.parametrize("keep", ["all", "latest"])
def test_a_store_that_cannot_be_asked_for_what_is_still_to_be_removed_fails_the_try(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would be taken for "nothing", and the parts of the result before stay for good."""
    fs, client = mortal(), client_for("batchcom")
    old, new = export(emulator, 3), export(emulator, 2)
    place = Destination(fs, "/place/x.jsonl", "mortal://place/x.jsonl")
    note = place.replaced().path
    options = DownloadOptions(keep=keep)  # type: ignore[arg-type]
    for kill_at in itertools.count():
        mortal.left = -1
        if fs.exists("/place"):
            fs.rm("/place", recursive=True)
        download(client, old.id, place, options)
        mortal.left = kill_at
        with pytest.raises(Killed):
            download(client, new.id, place, options)
        mortal.left = -1
        if fs.exists(note):
            break
    cat_file = mortal.cat_file

    def unreachable(self: Any, path: str, **options: Any) -> Any:
        if path == note:
            raise ConnectionError("the store is out of reach")
        return cat_file(self, path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(mortal, "cat_file", unreachable)
        with pytest.raises(DestinationError, match="out of reach") as caught:
            download(client, new.id, place, options)
    assert caught.value.retryable
    assert fs.exists(note)
    download(client, new.id, place, options)
    assert set(visible(fs, "/place")) == {"x-part-0001.jsonl", "x-part-0002.jsonl", "x_manifest.json"}


@pytest.mark.parametrize(("before", "killed", "after"), [(3, 4, 2), (2, 4, 3), (2, 3, 1), (3, 2, 1), (4, 2, 3)])
def test_after_a_kill_before_any_call_a_result_of_other_parts_is_alone(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], before: int, killed: int, after: int
) -> None:
    """The manifest is gone by then, and with it what it named; nothing names what the killed try has published."""
    client = client_for("batchcom")
    jobs = [export(emulator, parts) for parts in (before, killed, after)]
    wanted = {f"x-part-{part:04}.jsonl" for part in range(1, after + 1)} | {"x_manifest.json"}
    for kill_at in itertools.count():
        assert kill_at < 60
        place = Destination(mortal(), f"/place{kill_at}/x.jsonl", f"mortal://place{kill_at}/x.jsonl")
        download(client, jobs[0].id, place)
        mortal.left = kill_at
        try:
            download(client, jobs[1].id, place)
        except Killed:
            pass
        else:
            break
        finally:
            mortal.left = -1
        download(client, jobs[2].id, place)
        left = visible(place.fs, f"/place{kill_at}")
        assert set(left) == (wanted if after > 1 else {"x.jsonl"}), kill_at
        assert vouched(left), kill_at
        assert not place.fs.exists(place.replaced().path), kill_at
    assert kill_at > 3
