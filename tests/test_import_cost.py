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
airflow.sdk.task_group  # so is this, and who uses the `batch_job` group writes TaskFlow
before = set(sys.modules)
import {modules}
print(json.dumps(sorted(set(sys.modules) - before)))

"""
# Of our own and of others: what sends, downloads, stores, serves or needs Airflow's server side.
HEAVY = (
    "airflow.models",
    "airflow.providers",
    "airflow.providers_manager",
    "airflow_provider_batchdl.cli",
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
    "requests",
    "s3fs",
    "sqlalchemy",
    "starlette",
    "tenacity",
    "upath",
    "urllib3",
    "uvicorn",
)


SMALL = ("_values", "_values.arguments", "cli", "cli.definition", "jobs", "options", "_values.storable")

MODULES = (
    "airflow_provider_batchdl.decorators.batch_job",
    "airflow_provider_batchdl.operators.run",
    "airflow_provider_batchdl.operators.submit",
    "airflow_provider_batchdl.operators.download",
    "airflow_provider_batchdl.operators.cancel",
    "airflow_provider_batchdl.retries",
    "airflow_provider_batchdl.sensors.job",
    "airflow_provider_batchdl.task_groups",
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
    # Nor any package of anybody else's, beyond Python's own and what airflow.sdk has loaded already.
    ours = {"airflow_provider_batchdl", *sys.stdlib_module_names}
    assert [name for name in loaded if "." in name and name.partition(".")[0] not in ours] == []


def test_what_every_airflow_command_loads_is_small() -> None:
    """The definition of the commands, which ``airflow`` itself asks for before it knows what a person wants."""
    probe = (
        "import json, sys, airflow.cli.cli_config\n"
        "before = set(sys.modules)\n"
        "from airflow_provider_batchdl.cli.definition import get_cli_commands\n"
        "get_cli_commands()\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", probe], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1])) - {"airflow_provider_batchdl"}
    assert loaded == {f"airflow_provider_batchdl.{name}" for name in SMALL}
