"""The page costs nothing where it is not served: workers, triggerers, DAG processors, and where it is turned off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

_PROBE = """
import json, sys
from airflow_provider_batchdl.plugin import BatchDlPlugin as plugin
ours = sorted(name for name in sys.modules if name.startswith("airflow_provider_batchdl.ui."))
served = [len(plugin.fastapi_apps), len(plugin.external_views)]
print(json.dumps({"modules": ours, "jinja2": "jinja2.loaders" in sys.modules, "served": served}))
"""


def probe(**variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_loading_the_plugin_imports_none_of_the_page() -> None:
    found = probe()
    assert found["modules"] == ["airflow_provider_batchdl.ui.mount"]
    assert found["served"] == [1, 1]


def test_it_can_be_turned_off() -> None:
    assert probe(AIRFLOW__BATCHDL__UI="False")["served"] == [0, 0]


def test_it_is_below_airflows_own_path() -> None:
    code = "from airflow_provider_batchdl.ui.mount import external_views; print(external_views()[0]['href'])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"AIRFLOW__API__BASE_URL": "https://airflow.example/team/"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "/team/batchdl/"
