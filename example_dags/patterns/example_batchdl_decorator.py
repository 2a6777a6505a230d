"""A request that a function makes: `@task.batch_job`.

The function returns the request, and the task is a `BatchJobOperator`: it submits, waits without holding a worker and
downloads; a retry resumes the job that was submitted. A function is the way to numbers, lists and conditions in a
request: a rendered template is always text. Its arguments are templates all the same.

It runs once in each try, and a retry compares what it returns with what was submitted. So what changes from minute to
minute belongs into a task upstream, here `properties`, whose output is stored.

Needs the connection `apartmentiq_default` (type `apartmentiq`, client id as login and client secret as password). The
Airflow Variable `batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, get_current_context, task


@task
def properties() -> list[int]:
    """The properties to report on; in a DAG of your own, from a table."""
    return list(get_current_context()["params"]["properties"])


@task.batch_job(
    conn_id="apartmentiq_default",
    destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/decorator/{{ run_id }}/",
    outlets=[Asset("batchdl_decorator")],
    deferrable=True,
)
def report(property_ids: list[int], first: str, last: str) -> dict[str, Any]:
    """The request for a report on these properties and days."""
    return {
        "report_type": "units" if len(property_ids) < 100 else "property",
        "output_format": "csv",
        "start_date": first,
        "end_date": last,
        "property_ids": property_ids,
    }


@task
def summary(landing: dict[str, Any]) -> dict[str, int]:
    """Sum up what has landed."""
    return {"files": len(landing["files"]), "bytes": landing["bytes"]}


with DAG(
    dag_id="example_batchdl_decorator",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
    params={
        "properties": Param([1201, 1202], type="array", items={"type": "integer"}, title="Properties"),
        "days": Param(31, type="integer", minimum=1, title="Days", description="How many days, up to yesterday."),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    days = "{{{{ macros.batchdl.inclusive_days(days=params.days).{} }}}}"
    landing = report(properties(), days.format("first"), days.format("last"))
    summary(landing)
