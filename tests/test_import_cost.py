"""A DAG file that names an operator must not pay for what only a running task needs."""

from __future__ import annotations

import json
import subprocess
import sys

_PROBE = """
import json, sys
import airflow.sdk
from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator
getattr(airflow.sdk, "RetryPolicy", None)  # small; Airflow loads it when asked for
before = set(sys.modules)
import {modules}
print(json.dumps(sorted(set(sys.modules) - before)))

"""
# Of our own and of others: what sends, downloads, stores, serves or needs Airflow's server side.
HEAVY = (
    "airflow.models",
    "airflow.providers",
    "airflow.providers_manager",
    "airflow_provider_batchdl.client",
    "airflow_provider_batchdl.emulator",
    "airflow_provider_batchdl.transfer",
    "airflow_provider_batchdl.vendors.apartmentiq",
    "airflow_provider_batchdl.vendors.batchcom",
    "airflow_provider_batchdl.vendors.proofy",
    "airflow_provider_batchdl.vendors.revenuebase",
    "boto3",
    "fsspec",
    "httpx",
    "pyarrow",
    "pyrate_limiter",
    "requests",
    "s3fs",
    "sqlalchemy",
    "starlette",
    "tenacity",
    "upath",
    "urllib3",
    "uvicorn",
)


MODULES = (
    "airflow_provider_batchdl.operators.run",
    "airflow_provider_batchdl.operators.submit",
    "airflow_provider_batchdl.operators.download",
    "airflow_provider_batchdl.operators.cancel",
    "airflow_provider_batchdl.retries",
    "airflow_provider_batchdl.sensors.job",
)


def test_a_dag_file_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE.format(modules=", ".join(MODULES))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    assert set(MODULES) <= set(loaded)
    assert [name for name in loaded if name.startswith(HEAVY)] == []
    # Nor any package of anybody else's, beyond what airflow.sdk has loaded already.
    assert [name for name in loaded if "." in name and not name.startswith("airflow_provider_batchdl")] == []
