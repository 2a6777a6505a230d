"""An Airflow home of its own for every test process, shared fixtures, and the guard against leaks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before anything imports Airflow: it reads its configuration once. Each xdist worker is a process and gets its own.
_HOME = tempfile.TemporaryDirectory(prefix="batchdl-airflow-", ignore_cleanup_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": _HOME.name,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(_HOME.name) / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME.name}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{_HOME.name}/logs",
        # Nothing leaves this machine, whatever a test does.
        "NO_PROXY": "*",
    }
)
for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)

pytest_plugins = [
    "tests.support.leaks",
    "tests.support.garbage",
    "tests.support.scheduling",
    "tests.support.fixtures",
    "tests.support.airflow_fixtures",
    "tests.support.airflow_stats",
    "tests.support.gcs",
]
