"""Jobs that somebody else submits start DAG runs, in a real triggerer that is killed in between."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import demo.home
import demo.runner
from airflow_provider_batchdl.emulator import Emulator
from demo.api import AirflowApi
from demo.home import Home, new_home, provide_database
from demo.processes import AirflowProcesses
from demo.runner import Runner
from tests.support.stack.local import DATABASES

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

PATIENCE = 480.0
DAGS = ("example_first", "example_second")  # the demo's runner waits for DAGs that are named so
_DAG = """
from airflow.sdk import DAG, Asset, AssetWatcher, task
from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger

for name in {names!r}:
    trigger = CompletedJobsTrigger("batchcom_default", poll_interval=1.0, name=name)
    exports = Asset(f"{{name}}_exports", watchers=[AssetWatcher(name="done", trigger=trigger)])
    with DAG(name, schedule=[exports]) as dag:

        @task
        def land(triggering_asset_events):
            [events] = triggering_asset_events.values()
            return [event.extra["payload"] for event in events]

        land()
    globals()[name] = dag
"""


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.5)


def reported(api: AirflowApi) -> dict[str, list[object]]:
    """The payloads that each DAG's finished tasks have seen."""
    found: dict[str, list[object]] = {name: [] for name in DAGS}
    for task in api.tasks():
        if task.state == "success":
            seen = api.returned(task)
            assert isinstance(seen, list)
            found[task.dag_id] += seen
    return found


def known(home: Home) -> set[tuple[int, str]]:
    """What the watchers have recorded for their assets."""
    with contextlib.closing(sqlite3.connect(home.airflow / "airflow.db", timeout=60)) as database:
        return set(database.execute("SELECT asset_id, value FROM asset_state_store"))


def test_a_run_for_every_job_whoever_submitted_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags: Path = tmp_path_factory.mktemp("dags")
    monkeypatch.setattr(demo.home, "DAGS", dags)
    monkeypatch.setattr(demo.runner, "DAGS", dags)
    (dags / "watchers.py").write_text(_DAG.format(names=DAGS))
    with Emulator(port=0, rate_limits=False) as vendors, new_home(tmp_path_factory.mktemp("runs")) as home:
        vendors.add_job("batchcom")
        by_hand, later = [vendors.add_job("batchcom", state="running") for _ in range(2)]
        provide_database(home, DATABASES)
        with AirflowProcesses(home) as processes, contextlib.closing(AirflowApi(home)) as api:
            Runner(home, processes, api, lambda line: None).prepare({})
            api.add_connection("batchcom_default", vendors.connections()["batchcom_default"])
            api.unpause_all()
            wait_until(lambda: len(known(home)) == len(DAGS), "the watchers know what there is")
            before = known(home)
            by_hand.finish()
            first = {"vendor": "batchcom", "job_id": by_hand.id, "state": "succeeded"}
            wait_until(lambda: reported(api) == {name: [first] for name in DAGS}, "a run for the first job")
            # Some seconds after an event.
            wait_until(lambda: known(home).isdisjoint(before), "what is known is recorded")

            processes.kill("triggerer")
            later.finish()
            processes.start("triggerer")
            second = {"vendor": "batchcom", "job_id": later.id, "state": "succeeded"}
            wait_until(
                lambda: {name: len(seen) for name, seen in reported(api).items()} == dict.fromkeys(DAGS, 2),
                "a run for the job that ended while the triggerer was down",
            )
            asked = len(vendors.requests)
            wait_until(lambda: len(vendors.requests) >= asked + 4, "the watchers go on")
            assert reported(api) == {name: [first, second] for name in DAGS}
