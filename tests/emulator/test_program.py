"""The emulator as a program, a fixture, and a thing that can be missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.emulator.states import DECLARED, VENDORS

from .helpers import client, get, post

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "airflow_provider_batchdl.emulator.cli", "--port", "0"]


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*COMMAND, "--env"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        yield process
        process.kill()


def test_the_program_prints_connections_and_ends_on_interrupt(program: subprocess.Popen[str]) -> None:
    assert program.stdout
    lines = [program.stdout.readline() for _ in VENDORS]
    assert [line.partition("=")[0] for line in lines] == [
        f"export AIRFLOW_CONN_{vendor.upper()}_DEFAULT" for vendor in VENDORS
    ]
    host = json.loads(lines[0].partition("=")[2].strip().strip("'"))["host"]
    origin = host.removesuffix("/revenuebase")
    assert get(f"{origin}/_emulator/health").json()["status"] == "ok"
    program.send_signal(signal.SIGINT)
    assert program.wait(60) == 0


def test_a_taken_port_is_said_in_words(emulator: Emulator) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{emulator.port}"):
        Emulator(emulator.port).start()
    command = [*COMMAND[:-1], str(emulator.port)]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False)
    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr


def test_the_control_surface(emulator: Emulator) -> None:
    base = f"{emulator.origin}/_emulator"
    assert get(f"{base}/connections").json() == emulator.connections()
    spec = {"bytes": 3000, "format": "jsonl", "parts": 2}
    added = post(f"{base}/jobs", json={"vendor": "batchcom", "result": spec})
    assert (added.status_code, added.json()["vendor_state"]) == (201, "SUCCESS")
    assert [job["id"] for job in get(f"{base}/jobs").json()["jobs"]] == [added.json()["id"]]
    assert post(f"{base}/faults", json={"kind": "status", "status": 418}).status_code == 201
    assert get(emulator.urls["proofy"]).status_code == 418
    [request] = get(f"{base}/requests").json()["requests"]
    assert (request["vendor"], request["operation"], request["status"]) == ("proofy", "unknown", 418)
    for path, body in (
        ("faults", {"kind": "x"}),
        ("jobs", {"vendor": "x"}),
        ("jobs", {"vendor": "proofy", "result": {"x": 1}}),
    ):
        assert post(f"{base}/{path}", json=body).status_code == 400
    assert post(f"{base}/reset").status_code == 200
    assert get(f"{base}/jobs").json() == {"jobs": []}


def test_connections_are_what_airflow_takes(emulator: Emulator) -> None:
    connections = emulator.connections()
    assert set(connections) == {f"{name}_default" for name in VENDORS}
    assert json.loads(json.dumps(connections)) == connections
    batchcom = connections["batchcom_default"]
    assert (batchcom["conn_type"], batchcom["host"]) == ("batchcom", emulator.urls["batchcom"])
    assert batchcom["extra"]["project_key"].startswith("project_")
    assert {each["extra"]["poll_interval"] for each in connections.values()} == {1.0}
    assert emulator.connections(poll_interval=0.2)["proofy_default"]["extra"] == {"poll_interval": 0.2}
    assert emulator.connections(poll_interval=None)["proofy_default"]["extra"] == {}
    for name in DECLARED:
        declared = emulator.connections(poll_interval=None)[f"{name}_default"]
        assert (declared["conn_type"], declared["extra"]) == ("batchapi", {"vendor": name})


def test_reset_goes_back_to_the_seed_state(emulator: Emulator) -> None:
    key = emulator.credentials["revenuebase"].password
    with client(emulator, "revenuebase") as api:
        api.post("/v2/account/api-keys/rotate")
    job_id = emulator.add_job("proofy", ResultSpec(bytes=9_000)).id
    emulator.add_fault(Fault("status"))
    emulator.set_credits("proofy", 0)
    emulator.reset()
    assert (emulator.requests, emulator.jobs("proofy")) == ([], [])
    assert emulator.credentials["revenuebase"].password == key
    with client(emulator, "proofy") as api:
        assert api.get("/credits").json() == {"credits": 1_000_000}
    assert emulator.add_job("proofy").id == job_id


def test_the_fixture(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(
        "def test_it(batchdl_emulator):\n"
        "    assert batchdl_emulator.urls['proofy'].endswith('/proofy/v1')\n"
        "    assert batchdl_emulator.world.rate_limits\n"
    )
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["airflow_provider_batchdl.emulator.pytest_plugin"]\n')
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    environment = {**ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stdout


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, airflow_provider_batchdl.emulator.pytest_plugin, airflow_provider_batchdl.emulator;"
        "print(sorted(set(sys.modules) & {'uvicorn', 'starlette', 'httptools', 'pyarrow', 'airflow'}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_a_missing_extra_is_named(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom airflow_provider_batchdl.emulator import Emulator"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert "pip install 'airflow-provider-batchdl[emulator]'" in ended.stderr


def test_the_emulator_is_independent_of_what_it_tests() -> None:
    code = (
        "import sys; from airflow_provider_batchdl.emulator import Emulator\n"
        "with Emulator(): pass\n"
        "ours = [name for name in sys.modules if name.startswith('airflow_provider_batchdl.')]\n"
        "print([name for name in ours if not name.startswith('airflow_provider_batchdl.emulator')],"
        " 'airflow' in sys.modules, 'pyarrow' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert ended.stdout.strip() == "[] False False"


def test_it_leaves_the_event_loops_of_its_process_alone() -> None:
    """In tests that start it, as those with older versions of uvicorn."""
    with Emulator(port=0):
        loop = asyncio.new_event_loop()
    loop.close()
    assert type(loop).__module__.startswith("asyncio")
