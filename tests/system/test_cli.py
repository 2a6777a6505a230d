"""`airflow batchdl …` as a person runs it: the real program, an Airflow home with a database, the emulator."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from demo.home import new_home, provide_database
from tests.support.airflow_features import needs_provider_commands
from tests.support.leaks import find_secrets
from tests.support.stack.local import DATABASES

Program = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.timeout(1000), needs_provider_commands]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An Airflow home with a migrated database."""
    with new_home(tmp_path_factory.mktemp("homes")) as home:
        provide_database(home, DATABASES)
        yield home.airflow


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    return kept | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}


@pytest.fixture
def airflow(home: Path) -> Program:
    def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment(home) | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_connections_of_the_database_and_the_environment(airflow: Program, emulator: Emulator) -> None:
    made = emulator.connections()
    added = airflow("connections", "add", "kept_in_the_database", "--conn-json", json.dumps(made["batchcom_default"]))
    assert added.returncode == 0, added.stderr
    variables = {"AIRFLOW_CONN_PROOFY_DEFAULT": json.dumps(made["proofy_default"])}

    good = airflow("batchdl", "check", "-o", "json", **variables)
    assert good.returncode == 0, good.stderr
    found = [(row["conn_id"], row["source"], row["status"]) for row in json.loads(good.stdout)]
    assert found == [("kept_in_the_database", "metadata database", "ok"), ("proofy_default", "environment", "ok")]

    wrong = {"AIRFLOW_CONN_PROOFY_DEFAULT": json.dumps({**made["proofy_default"], "password": f"pf_{'0' * 32}"})}
    bad = airflow("batchdl", "check", "--verbose", **wrong)
    assert bad.returncode == 1
    assert "1 of 2 failed: proofy_default." in bad.stderr
    for done in (good, bad):
        assert not find_secrets(done.stdout + done.stderr)


@pytest.mark.long
def test_a_download(airflow: Program, emulator: Emulator, tmp_path: Path) -> None:
    emulator.set_result("revenuebase", ResultSpec(bytes=60_000))
    job = emulator.add_job("revenuebase", state="succeeded")
    variables = {"AIRFLOW_CONN_REVENUEBASE_DEFAULT": json.dumps(emulator.connections()["revenuebase_default"])}
    command = ("batchdl", "download", "-c", "revenuebase_default", job.id, f"{tmp_path}/result.csv", "--verbose")
    done = airflow(*command, "-o", "json", **variables)
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    [file] = job.files()
    assert hashlib.sha256((tmp_path / "result.csv").read_bytes()).hexdigest() == file.sha256 == row["sha256"]
    assert not find_secrets(done.stdout + done.stderr)


@pytest.mark.long
def test_on_a_terminal_something_moves(home: Path, emulator: Emulator, tmp_path: Path) -> None:
    job = emulator.add_job("proofy", state="succeeded")
    variables = {"AIRFLOW_CONN_PROOFY_DEFAULT": json.dumps(emulator.connections()["proofy_default"]), "TERM": "xterm"}
    command = ("batchdl", "download", "-c", "proofy_default", job.id, f"{tmp_path}/out/")
    ours, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "airflow", *command],
        env=environment(home) | variables,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        shown = b""
        with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 a descriptor
            while chunk := read(screen.fileno()):
                shown += chunk
        assert process.wait(300) == 0
    assert f"Job {job.id}".encode() in shown
    assert b"1 file, " in shown


@pytest.fixture
def _heeding_interrupts() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeding_interrupts")
@pytest.mark.long
def test_stopped_it_leaves_nothing_to_see_and_goes_on_when_called_again(
    home: Path, airflow: Program, emulator: Emulator, tmp_path: Path
) -> None:
    job = emulator.add_job("apartmentiq", state="succeeded", result=ResultSpec(bytes=30_000_000, format="csv"))
    emulator.add_fault(Fault("stall", operation="store", after_bytes=20_000_000))
    variables = {"AIRFLOW_CONN_APARTMENTIQ_DEFAULT": json.dumps(emulator.connections()["apartmentiq_default"])}
    command = ("batchdl", "download", job.id, str(tmp_path), "-c", "apartmentiq_default", "-o", "json")
    with subprocess.Popen(
        [sys.executable, "-m", "airflow", *command],
        env=environment(home) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(3000):
            if any(path.stat().st_size > 1_000_000 for path in tmp_path.rglob("*.part")):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out, err) == (130, "", "airflow batchdl: stopped.\n")
    assert all(path.name.startswith(".") for path in tmp_path.iterdir())

    done = airflow(*command, **variables)
    assert done.returncode == 0, done.stderr
    [path] = tmp_path.iterdir()
    [file] = job.files()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    assert [request.status for request in emulator.requests if request.operation == "store"] == [200, 206]


def read(descriptor: int) -> bytes:
    """What is on the screen next; Linux says that the other side is gone with an error."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
