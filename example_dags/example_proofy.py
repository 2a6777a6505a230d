"""Proofy: verify a list of addresses of any length, as one mapped task per batch.

Proofy takes up to 10,000 addresses in a batch and works on two batches at a time; the mapped tasks keep to that.
Needs the connection `proofy_default` (type `proofy`, the API key as its password). The Airflow Variable
`batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, Param, get_current_context, task

from airflow_provider_batchdl.operators.run import BatchJobOperator

ADDRESSES = [
    f"{name}@example.{top}" for top in ("com", "org") for name in ("ada", "barbara", "edsger", "grace", "info")
]


@task
def batches() -> list[dict[str, list[str]]]:
    """Cut the list into one request per batch."""
    params = get_current_context()["params"]
    emails, size = params["emails"], params["batch_size"]
    return [{"emails": emails[start : start + size]} for start in range(0, len(emails), size)]


with DAG(
    dag_id="example_proofy",
    schedule=None,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "emails": Param(
            ADDRESSES, type="array", items={"type": "string"}, title="Addresses", description="What to verify."
        ),
        "batch_size": Param(
            5, type="integer", minimum=1, maximum=10_000, title="Batch size", description="Addresses in one batch."
        ),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    BatchJobOperator.partial(
        task_id="verify",
        conn_id="proofy_default",
        # A folder per batch: every mapped task must have a destination of its own.
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/proofy/{{ run_id }}/{{ ti.map_index }}/",
        outlets=[Asset("proofy_verified")],
        deferrable=True,
        max_active_tis_per_dagrun=2,
    ).expand(request=batches())
