"""Windows as users write them: in templates, in a task of their own, in a callable; and the documented example."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, task
from airflow.sdk.execution_time import macros

from airflow_provider_batchdl import windows
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.plugin import BatchDlPlugin
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import count
from tests.support.timetables import CronDataIntervalTimetable

REPORT: dict[str, Any] = {"report_type": "property", "output_format": "csv", "property_ids": [1201]}
PAGE = Path(__file__).parents[2] / "docs" / "howto-run.md"
START = pendulum.datetime(2026, 1, 1, tz="Europe/Berlin")


@pytest.fixture(autouse=True)
def _run(api: ExecutionApi) -> None:
    """At midnight in Berlin, as Airflow 3 makes a ``@daily`` run: with a data interval that has no length."""
    due = "2026-07-14T22:00:00Z"
    names = ("logical_date", "data_interval_start", "data_interval_end", "run_after")
    api.run_facts = dict.fromkeys(names, due)


def daily(make: Any, **how: Any) -> Any:
    with DAG("daily", schedule="@daily", start_date=START, **how):
        return make()


def submit(request: Any, vendor: str = "apartmentiq") -> Any:
    return SubmitBatchJobOperator(task_id="task", conn_id=f"{vendor}_default", request=request)


def asked(connections: Emulator, api: ExecutionApi, make: Any) -> tuple[str, str]:
    outcome = api.run(make)
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("apartmentiq")
    return job.request["start_date"], job.request["end_date"]


def test_airflow_loads_the_macros() -> None:
    try:
        from airflow.sdk.plugins_manager import integrate_macros_plugins
    except ImportError:  # Airflow 3.1
        from airflow.plugins_manager import integrate_macros_plugins

    integrate_macros_plugins()
    assert macros.batchdl.inclusive_days is windows.inclusive_days  # type: ignore[attr-defined]
    assert macros.batchdl.period is windows.period  # type: ignore[attr-defined]
    assert BatchDlPlugin.name == "batchdl"


@pytest.mark.parametrize("native", [False, True])
def test_in_a_template(connections: Emulator, api: ExecutionApi, native: bool) -> None:
    request = {
        **REPORT,
        "start_date": "{{ macros.batchdl.inclusive_days(days=7).first }}",
        "end_date": "{{ macros.batchdl.inclusive_days(days=7).last }}",
    }
    make = partial(daily, lambda: submit(request), render_template_as_native_obj=native)
    assert asked(connections, api, make) == ("2026-07-08", "2026-07-14")


def test_as_a_macro_of_the_dags_own(connections: Emulator, api: ExecutionApi) -> None:
    request = {**REPORT, **dict.fromkeys(("start_date", "end_date"), "{{ windows.inclusive_days(lag=1).last }}")}
    make = partial(daily, lambda: submit(request), user_defined_macros={"windows": windows})
    assert asked(connections, api, make) == ("2026-07-13", "2026-07-13")


def test_in_a_callable(connections: Emulator, api: ExecutionApi) -> None:
    def request(context: Any, jinja_env: Any) -> dict[str, Any]:
        days = windows.inclusive_days(context)
        return {**REPORT, "start_date": days.first, "end_date": days.last}

    assert asked(connections, api, partial(daily, lambda: submit(request))) == ("2026-07-14", "2026-07-14")


def test_in_a_task_of_ones_own(connections: Emulator, api: ExecutionApi) -> None:
    def make(name: str) -> Any:
        @task
        def request() -> dict[str, Any]:
            days = windows.inclusive_days()
            return {**REPORT, "start_date": days.first, "end_date": days.last}

        made = submit(request())
        return made if name == "task" else made.upstream_list[0]

    assert api.run(partial(daily, partial(make, "request"))).state == "success"
    assert asked(connections, api, partial(daily, partial(make, "task"))) == ("2026-07-14", "2026-07-14")


def test_a_period(connections: Emulator, api: ExecutionApi) -> None:
    due = pendulum.now("UTC").start_of("day")
    api.run_facts = {
        "logical_date": None,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": str(due),
    }
    request = {
        "export_type": "EVENTS",
        "events": ["email_sent"],
        "from": "{{ macros.batchdl.period().start }}",
        "to": "{{ macros.batchdl.period().end }}",
    }
    outcome = api.run(lambda: submit(request, "batchcom"))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("batchcom")
    assert (job.request["from"], job.request["to"]) == tuple(
        each.format("YYYY-MM-DDTHH:mm:ss[Z]") for each in (due - timedelta(days=1), due)
    )


def test_a_run_in_which_no_day_ended_is_skipped(connections: Emulator, api: ExecutionApi) -> None:
    def make() -> Any:
        with DAG("hourly", schedule="@hourly", start_date=START):
            return submit({**REPORT, "start_date": "{{ macros.batchdl.inclusive_days().first }}"})

    api.run_facts = dict.fromkeys(api.run_facts, "2026-07-14T12:00:00Z")
    assert api.run(make).state == "skipped"
    assert count(connections, "submit") == 0


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("length", [0, 1], ids=["no interval", "data interval"])
def test_the_documented_example_asks_for_the_day_that_ended(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, zone: str, length: int
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [code] = [each for each in blocks if '"start_date"' in each]
    code = code.replace("s3://aws_default@lake", str(tmp_path))
    due = pendulum.datetime(2026, 7, 15, tz=zone)
    begin, end = str(due.subtract(days=length)), str(due)
    api.run_facts = {"logical_date": begin, "data_interval_start": begin, "data_interval_end": end, "run_after": end}
    schedule = CronDataIntervalTimetable("@daily", timezone=zone) if length else "@daily"

    def make() -> Any:
        names: dict[str, Any] = {}
        with DAG("daily", schedule=schedule, start_date=pendulum.datetime(2026, 1, 1, tz=zone)) as dag:
            exec("from airflow_provider_batchdl.operators.run import BatchJobOperator\n" + code, names)  # noqa: S102
        return dag.get_task("market_data")

    outcome = api.run_to_end(make)
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("apartmentiq")
    assert (job.request["start_date"], job.request["end_date"]) == ("2026-07-14", "2026-07-14")
    assert [path.name for path in (tmp_path / "market").glob("*.parquet")] == ["2026-07-14.parquet"]
