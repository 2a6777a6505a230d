"""`python -m demo` itself: a real Airflow runs the four DAGs, and nothing of it is left afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from demo.api import AirflowApi
from demo.home import DAGS, Home
from demo.processes import COMPONENTS

ROOT = Path(__file__).resolve().parents[2]
VENDORS = {"apartmentiq", "batchcom", "proofy", "revenuebase"}

pytestmark = pytest.mark.timeout(1800)


class Demo:
    """A running demo, its output in a file."""

    def __init__(self, runs: Path, *options: str) -> None:
        runs.mkdir(parents=True, exist_ok=True)
        self.runs, self._others = runs, set(runs.iterdir())
        self._output = runs / f"output{len(self._others)}.txt"
        self._others.add(self._output)
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--runs", str(runs), *options],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                # What a user may have lying about: another Airflow's home, a proxy that isn't there.
                env={**os.environ, "AIRFLOW_HOME": str(runs / "other"), "HTTP_PROXY": "http://127.0.0.1:9"},
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, seconds=600)
        assert text in self.output, self.output

    def end(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def airflow(self) -> list[str]:
        """Command lines of everything that has its Airflow's home."""
        homes = {str(path / "airflow") for path in self.runs.iterdir() if path not in self._others}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("AIRFLOW_HOME") in homes:
                    found.append(" ".join(process.cmdline()))
        return found

    def has_started(self) -> bool:
        """True if each of Airflow's components is a process."""
        lines = self.airflow()
        return all(any(f" airflow {name}" in line for line in lines) for name in COMPONENTS)


def wait_until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`make up`, cold, in a path with spaces. The other demos run beside it, in the same folder."""
    runs = tmp_path_factory.mktemp("demo") / "a folder with spaces"
    demo = Demo(runs, "--keep")
    demo.wait_for("starting")  # its home is there
    yield demo
    if demo.process.poll() is None:
        demo.process.terminate()
        demo.end(120)


@pytest.fixture
def another(kept: Demo) -> Iterator[Demo]:
    """One of which nothing is left, however it ends."""
    demo = Demo(kept.runs)
    yield demo
    assert demo.airflow() == []


def said(demo: Demo, what: str) -> str:
    found = re.search(what, demo.output)
    assert found, demo.output
    return found[1]


def run_the_other_examples(api: AirflowApi) -> None:
    """As a person does who clicks through the UI; those of the vendors the demo has run."""
    assert api.login()
    examples = {path.stem for path in DAGS.rglob("example_*.py")}
    assert api.dag_ids() == examples
    runs = {dag_id: started(api, dag_id) for dag_id in sorted(examples - {f"example_{each}" for each in VENDORS})}

    def unfinished() -> dict[str, str]:
        states = {dag_id: api.run(dag_id, run_id)[0] for dag_id, run_id in runs.items()}
        return {dag_id: state for dag_id, state in states.items() if state != "success"}

    wait_until(lambda: not set(unfinished().values()) - {"failed"}, seconds=600)
    assert unfinished() == {}


def started(api: AirflowApi, dag_id: str) -> str:
    """A run of the DAG; SQLite is busy where a task reports at the same moment (`Runner.run`)."""
    for _ in range(3):
        with contextlib.suppress(httpx.HTTPError):
            return api.trigger(dag_id)
    return api.trigger(dag_id)


def test_interrupted_while_airflow_starts(another: Demo) -> None:
    wait_until(another.has_started, seconds=600)
    another.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    another.process.send_signal(signal.SIGTERM)  # impatience must not cut the cleaning up short
    assert another.end(120) == 128 + signal.SIGINT, another.output
    assert "Stopped." in another.output


def test_killed_it_leaves_nothing_either(another: Demo) -> None:
    wait_until(another.has_started, seconds=600)
    another.process.kill()
    another.end(60)
    wait_until(lambda: not another.airflow(), seconds=120)  # the fixture says whether it came true


def test_component_that_dies_is_named_with_its_log(another: Demo) -> None:
    wait_until(another.has_started, seconds=600)
    for process in psutil.Process(another.process.pid).children():
        if "dag-processor" in process.cmdline():
            process.kill()
    assert another.end(120) == 1, another.output
    assert "Airflow's dag-processor ended with exit code -9" in another.output
    assert "dag-processor.log" in another.output


def test_it_lands_what_the_emulator_served_and_stays_until_it_is_stopped_while_a_task_runs(kept: Demo) -> None:
    """After what was interrupted, killed and broken beside it."""
    kept.wait_for("Ctrl-C stops everything")
    assert {line.split()[0] for line in kept.output.splitlines() if re.search(r"\s[0-9a-f]{8}…\s", line)} == VENDORS
    for vendor in VENDORS:
        assert re.search(rf"example_{vendor} .* deferred", kept.output)
    assert "each is byte for byte what the emulator served" in kept.output

    port, password = said(kept, r"UI: http://127\.0\.0\.1:(\d+)"), said(kept, r"password: +(\S+)")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as browser:
        assert "<html" in browser.get("/", follow_redirects=True).text
        login = {"username": "admin", "password": password}
        assert browser.post("/auth/token", json=login).status_code == 201
        assert browser.post("/auth/token", json={**login, "password": "guess"}).status_code == 401
    with contextlib.closing(AirflowApi(Home(kept.runs, int(port), "admin", password))) as api:
        run_the_other_examples(api)
        jobs = httpx.get(said(kept, r"jobs: +(\S+)"), trust_env=False, timeout=60).json()["jobs"]
        assert {job["vendor"] for job in jobs} == VENDORS
        landed = Path(ROOT, said(kept, r"Landed files: (.+)"))
        assert {path.name for path in landed.iterdir()} == {*VENDORS, "decorator", "files", "group"}
        run_id = started(api, "example_proofy")
        wait_until(lambda: any(task.state == "running" for task in api.tasks("example_proofy", run_id)), seconds=600)
        kept.process.send_signal(signal.SIGINT)
    assert kept.end(120) == 0, kept.output
    assert kept.airflow() == []
