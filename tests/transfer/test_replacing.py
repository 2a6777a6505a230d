"""``keep="latest"``: one result is in the folder, the last; no kill loses both it and the one before."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download
from tests.support.mortal_store import Killed, MortalStore
from tests.transfer.conftest import ClientFor, left_in, local
from tests.transfer.test_replaced import export, visible, vouched

LATEST = DownloadOptions(keep="latest", on_empty="land")


def folder_of(fs: AbstractFileSystem, name: str) -> Destination:
    return Destination(fs, f"/{name}/", f"mortal://{name}/")


def names(landing: Landing) -> set[str]:
    return {file.uri.rpartition("/")[2] for file in landing.files} | {"_manifest.json"}


def is_noted(place: Destination) -> bool:
    """Whether something is still to be removed."""
    return bool(place.fs.exists(place.replaced().path))


def survives(client: BatchClient, job: EmulatedJob, place: Destination, kill_at: int) -> bool:
    """Whether the download came to its end before it would have been killed."""
    MortalStore.left = kill_at
    try:
        download(client, job.id, place, LATEST)
    except Killed:
        return False
    finally:
        MortalStore.left = -1
    return True


def is_whole(job: EmulatedJob, files: dict[str, bytes]) -> bool:
    """Whether all of a job's result is there, under whatever names."""
    return {file.sha256 for file in job.files()} <= {hashlib.sha256(content).hexdigest() for content in files.values()}


def test_a_folder_has_the_last_result_and_what_is_not_of_the_task(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    (tmp_path / "somebody.jsonl").write_text("somebody's")
    client = client_for("batchcom")
    for parts in (1, 1, 3, 2, 1):
        landing = download(client, export(emulator, parts).id, local(tmp_path, folder=True), keep="latest")
        assert set(left_in(tmp_path)) == {"somebody.jsonl"} | names(landing)
        assert Landing.from_dict(json.loads((tmp_path / "_manifest.json").read_text())) == landing


def test_all_is_kept_by_default(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    client = client_for("batchcom")
    for _ in range(2):
        download(client, export(emulator, 1).id, local(tmp_path, folder=True))
    assert len(left_in(tmp_path)) == 2


def test_what_has_changed_since_stays(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    client, place = client_for("batchcom"), local(tmp_path, folder=True)
    [old] = download(client, export(emulator, 1).id, place, keep="latest").files
    changed = tmp_path / (old.source_name or "")
    changed.write_text("somebody's by now")
    landing = download(client, export(emulator, 1).id, place, keep="latest")
    assert set(left_in(tmp_path)) == {changed.name} | names(landing)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 1), (1, 3), (3, 2), (2, 0)])
def test_a_kill_before_any_call_loses_nothing_and_a_retry_does_the_rest(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], before: int, after: int
) -> None:
    fs, client = mortal(), client_for("batchcom")
    old, new = export(emulator, before), export(emulator, after)
    for kill_at in itertools.count():
        assert kill_at < 60
        place = folder_of(fs, f"place{kill_at}")
        download(client, old.id, place, LATEST)
        ended = survives(client, new, place, kill_at)
        left = visible(fs, place.path.rstrip("/"))
        assert vouched(left), kill_at
        said = json.loads(left["_manifest.json"])["job_id"]  # there is one at any time: no name is the same
        assert is_whole(old, left) if said == old.id else is_whole(new, left), kill_at
        landing = download(client, new.id, place, LATEST, if_exists="skip")
        assert set(visible(fs, place.path.rstrip("/"))) == names(landing), kill_at
        assert not is_noted(place), kill_at
        if ended:
            break
    assert kill_at > 3


@pytest.mark.parametrize("seed", range(12))
def test_after_any_runs_and_kills_there_is_a_whole_result_and_after_a_good_run_it_alone(
    emulator: Emulator, client_for: ClientFor, mortal: type[MortalStore], seed: int
) -> None:
    draw = random.Random(seed)
    fs, client, place = mortal(), client_for("batchcom"), folder_of(mortal(), "place")
    runs: list[EmulatedJob] = []
    landed = False
    for _ in range(12):
        again = runs and draw.random() < 0.4
        job = runs[-1] if again else export(emulator, draw.choice((1, 1, 2, 3)))
        runs.append(job)
        if survives(client, job, place, draw.choice((-1, *range(14)))):
            landed = True
            assert is_whole(job, left := visible(fs, "/place"))
            assert len(left) == len(job.files()) + 1
            assert not is_noted(place)
        else:
            left = visible(fs, "/place")
        assert vouched(left)
        assert not landed or any(is_whole(each, left) for each in runs)


@pytest.mark.parametrize("other", [{"manifest": False}, {"if_exists": "error"}])
def test_it_contradicts_what_removes_nothing_and_what_leaves_no_manifest(other: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError, match='keep must be "all" where'):
        DownloadOptions(keep="latest", **other)  # type: ignore[arg-type]


def test_beside_an_object_it_changes_nothing_but_the_manifest(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client, place = client_for("batchcom"), local(tmp_path / "x.jsonl")
    for parts, left in (
        (1, {"x.jsonl"}),
        (2, {"x-part-0001.jsonl", "x-part-0002.jsonl"}),
        (1, {"x.jsonl"}),
        (0, set()),
    ):
        result = ResultSpec(bytes=3_000 * parts, format="jsonl", parts=parts)
        job = emulator.add_job("batchcom", result=result)
        download(client, job.id, place, LATEST)
        assert set(left_in(tmp_path)) == {*left, "x_manifest.json"}
