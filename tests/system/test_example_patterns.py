"""The example DAGs that the demo does not run, through ``dag.test()``."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.transfer.state import WORK_FOLDER
from tests.support.airflow_jobs import count

EXAMPLES = Path(__file__).parents[2] / "example_dags" / "patterns"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def _airflow_database() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def run(
    _airflow_database: None, connections: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Run an example to success; what its task `summary` returned."""
    monkeypatch.setenv("AIRFLOW_VAR_BATCHDL_LANDING", f"file://{tmp_path}/landed")
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir(parents=True, exist_ok=True)
    copies: list[Path] = []

    def run_example(name: str, **params: Any) -> Any:
        copies.append(Path(shutil.copy(EXAMPLES / f"{name}.py", folder)))
        spec = importlib.util.spec_from_file_location(name, copies[-1])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        dag_run = module.dag.test(run_conf=params)
        assert dag_run.state == "success", {ti.task_id: ti.state for ti in dag_run.get_task_instances()}
        return summary_of(dag_run)

    yield run_example
    for copy in copies:
        copy.unlink()


def summary_of(dag_run: Any) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = (XComModel.run_id == dag_run.run_id, XComModel.task_id == "summary", XComModel.key == "return_value")
    with create_session() as session:
        value = session.scalars(select(XComModel.value).where(XComModel.dag_id == dag_run.dag_id, *wanted)).one()
    return json.loads(value) if isinstance(value, str) else value


def labels(task_id: str) -> set[str]:
    """What the UI calls the mapped instances of a task."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    label: Any = TaskInstance.rendered_map_index  # by the mapper's reckoning, text and no column
    with create_session() as session:
        return set(session.scalars(select(label).where(TaskInstance.task_id == task_id)))


def landed(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and WORK_FOLDER not in path.parts]


def test_mapped_files(run: Callable[..., Any], connections: Emulator, tmp_path: Path) -> None:
    source = tmp_path / "contacts"
    source.mkdir()
    for number in range(12):
        (source / f"{number:02}.csv").write_text(f"email\nsomeone{number}@example.com\n")
    (source / "notes.txt").write_text("no batch")
    summary = run("example_batchdl_mapped_files", folder=str(source))
    assert (summary["batches"], count(connections, "submit")) == (12, 12)
    files = landed(tmp_path / "landed")
    assert len(files) == 12
    assert summary["bytes"] == sum(path.stat().st_size for path in files)
    assert summary["rows"] == 12
    assert labels("verify") == {f"{number:02}.csv" for number in range(12)}


def test_task_group(run: Callable[..., Any], connections: Emulator, tmp_path: Path) -> None:
    summary = run("example_batchdl_task_group")
    assert (summary["batches"], count(connections, "submit")) == (3, 3)
    files = landed(tmp_path / "landed")
    assert len(files) == 3
    assert summary["bytes"] == sum(path.stat().st_size for path in files)


def test_decorator(run: Callable[..., Any], connections: Emulator, tmp_path: Path) -> None:
    summary = run("example_batchdl_decorator", properties=[1201, 1310])
    [job] = connections.jobs("apartmentiq")
    assert (job.request["property_ids"], job.request["report_type"]) == ([1201, 1310], "units")
    [path] = landed(tmp_path / "landed")
    assert summary == {"files": 1, "bytes": path.stat().st_size}
