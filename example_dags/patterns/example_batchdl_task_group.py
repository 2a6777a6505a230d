"""A group of three tasks for every batch: submit, wait, download, with a task before and one after.

`batch_job` is a `@task_group`: it is called with what the batch is, `.override(group_id=…)` gives it another name, and
`.partial(…).expand(…)` maps it. Its result stands for the whole group: its upstream tasks run before the
submit, and downstream tasks get the landing. Each step can be cleared by itself; clearing the download does not pay
for a new job.

Needs the connection `proofy_default` (type `proofy`, the API key as its password). The Airflow Variable
`batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, get_current_context, task

from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.task_groups import batch_job


@task
def batches() -> list[dict[str, list[str]]]:
    """Cut the list into one request per batch."""
    params = get_current_context()["params"]
    emails, size = params["emails"], params["batch_size"]
    return [{"emails": emails[start : start + size]} for start in range(0, len(emails), size)]


@task
def enough_credits(requests: list[dict[str, list[str]]]) -> int:
    """Stop before the first batch is paid for, if the last could not be."""
    balance = BatchApiHook.for_connection("proofy_default").get_balance()
    wanted = sum(len(request["emails"]) for request in requests)
    if balance is None or balance < wanted:
        raise ValueError(f"{wanted} credits are needed, {balance} are left.")
    return balance


@task
def summary(landings: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Sum up the landed files."""
    sizes = [landing["bytes"] for landing in landings]
    return {"batches": len(sizes), "bytes": sum(sizes)}


with DAG(
    dag_id="example_batchdl_task_group",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "emails": Param(
            [f"{name}@example.com" for name in ("ada", "barbara", "edsger", "grace", "info")],
            type="array",
            items={"type": "string"},
            title="Addresses",
            description="What to verify.",
        ),
        "batch_size": Param(
            2, type="integer", minimum=1, maximum=10_000, title="Batch size", description="Addresses in one batch."
        ),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    requests = batches()
    verified = (
        batch_job.override(group_id="verify")
        .partial(
            conn_id="proofy_default",
            # A folder per batch: every mapped group must have a destination of its own.
            destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/group/{{ run_id }}/{{ ti.map_index }}/",
            outlets=[Asset("batchdl_task_group")],
        )
        .expand(request=requests)
    )
    enough_credits(requests) >> verified
    summary(verified)
