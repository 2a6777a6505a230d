"""The page costs nothing where it is not served: workers, triggerers, DAG processors, and where it is turned off."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_batchdl import decorators, operators, sensors
from airflow_provider_batchdl._airflow.compat import has_page_sessions, has_scoped_views
from airflow_provider_batchdl.ui import mount
from tests.support.airflow_features import needs_page_sessions

_PROBE = """
import json, sys
from airflow_provider_batchdl.plugin import BatchDlPlugin as plugin
ours = sorted(name for name in sys.modules if name.startswith("airflow_provider_batchdl.ui."))
views = [view["href"] for view in plugin.external_views]
print(json.dumps({"modules": ours, "apps": len(plugin.fastapi_apps), "views": views}))
"""


def test_loading_the_plugin_imports_none_of_the_page() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE],
        env=os.environ | {"AIRFLOW__API__BASE_URL": "https://airflow.example/team/"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["modules"] == ["airflow_provider_batchdl.ui.mount"]
    assert found["apps"] == (1 if has_page_sessions() else 0)
    # Below Airflow's own path.
    assert found["views"][:1] == (["/team/batchdl/"] if has_page_sessions() else [])
    assert len(found["views"]) == (0 if not has_page_sessions() else 4 if has_scoped_views() else 1)


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__BATCHDL__UI", "False")
    assert (mount.external_views(), mount.fastapi_apps()) == ([], [])


def test_it_is_absent_where_a_page_has_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Airflow 3.1.0 the browser sends no cookie, and the page would be a 401 for everybody."""
    monkeypatch.setattr(mount, "has_page_sessions", lambda: False)
    assert (mount.external_views(), mount.fastapi_apps()) == ([], [])


@needs_page_sessions
def test_tabs_are_only_where_airflow_can_limit_them() -> None:
    views = mount.external_views()
    assert len(views) == (4 if has_scoped_views() else 1)
    assert len({view["url_route"] for view in views}) == len(views)


def test_a_tab_has_the_classes_of_our_tasks() -> None:
    found: set[str] = set()
    for package in (operators, sensors, decorators):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            loaded = importlib.import_module(module.name)
            classes = [each for each in vars(loaded).values() if isinstance(each, type)]
            tasks = [each for each in classes if issubclass(each, BaseOperator) and each.__module__ == module.name]
            found.update(each.__name__ for each in tasks)
    assert set(mount.CLASSES) == found


def test_a_tabs_address_names_the_dag_the_task_and_the_instance() -> None:
    of_dag, of_task, of_instance = mount._tabs()
    assert of_dag["href"] == "/batchdl/?days=30&dag_id={DAG_ID}"
    assert of_task["href"] == "/batchdl/?days=30&dag_id={DAG_ID}&task_id={TASK_ID}"
    assert of_instance["href"] == "/batchdl/job/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}"
