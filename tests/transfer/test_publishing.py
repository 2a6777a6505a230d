"""Two processes that publish into one folder at once do so one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer import publishing
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from tests.transfer.conftest import ClientFor, left_in, local
from tests.transfer.test_replaced import export, visible, vouched

WAIT = 60.0
HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[bytes]:
    """A process that is publishing into a folder, until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    return process


@pytest.fixture(params=[False, True], ids=["object", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    return local(tmp_path, folder=True) if request.param else local(tmp_path / "x.jsonl")


def test_it_waits_for_another_process_and_a_killed_one_leaves_nothing(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    with holder(tmp_path) as other:

        def kill(seconds: float) -> None:
            seen.append([name for name in left_in(tmp_path) if not name.startswith(".")])
            other.kill()
            other.wait(WAIT)

        monkeypatch.setattr(publishing, "sleep", kill)
        download(client_for("batchcom"), export(emulator, 2).id, place)
    assert seen
    assert seen[0] == []
    assert len(left_in(tmp_path)) == 3


def test_it_does_not_wait_for_ever(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "LONGEST_WAIT", -1.0)
    with holder(tmp_path) as other:
        try:
            with pytest.raises(DestinationError, match="another process has been publishing") as caught:
                download(client_for("batchcom"), export(emulator, 2).id, place)
        finally:
            other.kill()
    assert caught.value.retryable
    assert left_in(tmp_path) == []


def test_two_results_at_once_are_not_mixed(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins to publish when the first has published one file of three."""
    client, place = client_for("batchcom"), local(tmp_path / "x.jsonl")
    jobs = [export(emulator, 3) for _ in range(2)]
    goes_on = threading.Event()  # the second waits, or has ended
    seconds: list[threading.Thread] = []
    publish = LocalSink.publish

    def second() -> None:
        try:
            download(client_for("batchcom"), jobs[1].id, place)
        finally:
            goes_on.set()

    def publish_one(self: LocalSink) -> Any:
        result = publish(self)
        if not seconds:
            seconds.append(threading.Thread(target=second))
            seconds[0].start()
            assert goes_on.wait(WAIT)
        return result

    def wait(pause: float) -> None:
        goes_on.set()
        threading.Event().wait(pause)

    monkeypatch.setattr(LocalSink, "publish", publish_one)
    monkeypatch.setattr(publishing, "sleep", wait)
    first = download(client, jobs[0].id, place)
    seconds[0].join(WAIT)
    left = visible(place.fs, str(tmp_path))
    assert vouched(left)
    landing = Landing.from_dict(json.loads(left["x_manifest.json"]))
    assert (first.job_id, landing.job_id) == (jobs[0].id, jobs[1].id)


def test_a_file_system_that_locks_no_folders(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, place: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS: EBADF, since a folder cannot be opened for writing."""

    def refuse(*_: Any) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(publishing, "flock", refuse)
    download(client_for("batchcom"), export(emulator, 2).id, place)
    assert len(left_in(tmp_path)) == 3
