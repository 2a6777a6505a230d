"""`airflow batchdl download`, against the emulator."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from airflow_provider_batchdl.cli import progress as shown
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.transfer import progress
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import work

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands


@pytest.fixture
def job(connections: Emulator, tmp_path: Path) -> EmulatedJob:
    """A finished job of Batch.com's with two parts."""
    connections.set_result("batchcom", ResultSpec(bytes=60_000, parts=2))
    arguments = work("batchcom", tmp_path)
    BatchApiHook.for_connection(arguments.pop("conn_id")).submit_job(**arguments)
    [job] = connections.jobs("batchcom")
    job.finish()
    return job


def landed(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.name != "_manifest.json")
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


@pytest.mark.parametrize("slash", ["", "/"])
def test_into_a_folder(batchdl: Batchdl, job: EmulatedJob, tmp_path: Path, slash: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    ended = batchdl("download", "-c", "batchcom_default", job.id, f"{folder}{slash}", "-o", "json")
    assert ended.code == 0
    assert landed(folder) == [file.sha256 for file in job.files()] == [row["sha256"] for row in json.loads(ended.out)]
    assert ended.err.startswith(f"Job {job.id}: 2 files, 60,000 bytes in ")


@pytest.mark.parametrize("destination", [".", "./", "new/"])
def test_relative_to_where_the_shell_is(
    batchdl: Batchdl, job: EmulatedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ended = batchdl("download", "-c", "batchcom_default", job.id, destination, "-o", "json")
    assert ended.code == 0
    assert landed(folder / destination) == [file.sha256 for file in job.files()]
    assert all(row["uri"].startswith(str(folder)) for row in json.loads(ended.out))  # wherever it is read


def test_its_options_reach_the_download(batchdl: Batchdl, job: EmulatedJob, tmp_path: Path) -> None:
    command = ("download", "-c", "batchcom_default", job.id, f"{tmp_path}/out/", "-o", "json")
    first = batchdl(*command, "--no-sha256", "--max-connections", "1")
    assert [row["sha256"] for row in json.loads(first.out)] == [None, None]
    again = batchdl(*command, "--if-exists", "error")
    assert again.code == 1
    assert "DestinationError" in again.err


@pytest.fixture
def slow_job(connections: Emulator) -> EmulatedJob:
    """One whose result takes a second and a half to come."""
    connections.set_speed(2_000_000)
    return connections.add_job("apartmentiq", ResultSpec(bytes=3_000_000))


def test_on_a_terminal_a_bar_moves(
    batchdl: Batchdl, slow_job: EmulatedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's own way to be told that this is a terminal
    monkeypatch.setenv("COLUMNS", "150")
    # Drawn at each update, and not ten times a second, of which a busy machine may have none to spare.
    monkeypatch.setattr(shown, "STEP", 0.0)
    monkeypatch.setattr(Bars, "update", partialmethod(Bars.update, refresh=True))
    ended = batchdl("download", "-c", "apartmentiq_default", slow_job.id, f"{tmp_path}/out/")
    assert ended.code == 0
    [file] = (tmp_path / "out").iterdir()
    screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.err)
    assert f"Job {slow_job.id}" in screen
    assert file.name[:30] in screen
    shares = [int(share) for share in re.findall(r"(\d+)%", screen)]
    assert shares == sorted(shares)
    assert len(set(shares)) > 2
    assert re.search(r"[\d.]+/3\.0 MB", screen)
    assert re.search(r"[\d.]+ [kM]B/s", screen)
    assert re.search(r"0:00:0\d", screen)
    assert screen.splitlines()[-1].startswith(f"Job {slow_job.id}: 1 file, 3,000,000 bytes in ")  # the bar is gone
    assert "%" not in ended.out


def test_elsewhere_there_are_lines(
    batchdl: Batchdl, slow_job: EmulatedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 1e-6)  # on a busy machine all of it may come within the real one
    ended = batchdl("download", "-c", "apartmentiq_default", slow_job.id, f"{tmp_path}/out/")
    first, *others = ended.err.splitlines()
    assert re.fullmatch(r"Downloading \S+: [\d.]+ [kM]B of 3\.0 MB \(\d+%\), [\d.]+ [kMG]B/s, [\d.]+ s left", first)
    assert others[-1].startswith(f"Job {slow_job.id}: 1 file")
    assert "\x1b" not in ended.err


@pytest.mark.parametrize(("output", "terminal"), [("json", True), ("yaml", False)])
def test_for_a_program_there_is_neither(
    batchdl: Batchdl,
    slow_job: EmulatedJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    terminal: bool,
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.2)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    ended = batchdl("download", "-c", "apartmentiq_default", slow_job.id, f"{tmp_path}/out/", "-o", output)
    assert ended.code == 0
    [line] = ended.err.splitlines()
    assert line.startswith(f"Job {slow_job.id}: 1 file")


def test_one_bar_at_a_time_and_none_that_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that goes on from an earlier try, one of unknown size, and one that begins again."""
    monkeypatch.setattr(shown, "STEP", 0.0)
    bars = shown._bars(Console(file=io.StringIO()))
    bars.add_task("Downloading job 1", total=None)
    first = shown.FileBar(bars)
    first.begin("one[red].csv", 400, 500)
    [bar] = bars.tasks
    assert (bar.description, bar.completed, bar.total, bar.percentage, bar.speed) == (
        "one[red].csv",
        400,
        500,
        80,
        None,
    )
    first.at(450)
    first.begin("one[red].csv", 0, 500)
    first.at(10)
    assert [(bar.completed, bar.total) for bar in bars.tasks] == [(10, 500)]
    second = shown.FileBar(bars)
    second.begin("https://files.example/x?signature=0123456789abcdef", 0, None)
    second.at(7)
    [bar] = bars.tasks
    assert (bar.completed, bar.total) == (7, None)
    assert "0123456789abcdef" not in bar.description


def test_a_job_that_goes_on(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    connections.world.run_seconds = 3600
    arguments = work("proofy", tmp_path)
    job_id = BatchApiHook.for_connection(arguments.pop("conn_id")).submit_job(**arguments).id
    ended = batchdl("download", "-c", "proofy_default", job_id, f"{tmp_path}/out/")
    assert ended.code == 75
    assert "ResultNotReadyError" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_job_without_a_result_file(batchdl: Batchdl, connections: Emulator, tmp_path: Path) -> None:
    job = connections.add_job("batchcom", ResultSpec(parts=0))
    command = ("download", "-c", "batchcom_default", job.id, f"{tmp_path}/out/", "-o", "json")
    failed = batchdl(*command)
    assert failed.code == 1
    assert "EmptyResultError" in failed.err
    skipped = batchdl(*command, "--on-empty", "skip")
    assert (skipped.code, json.loads(skipped.out)) == (0, [])
    assert not (tmp_path / "out").exists()
    assert batchdl(*command, "--on-empty", "land").code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_manifest.json"]
