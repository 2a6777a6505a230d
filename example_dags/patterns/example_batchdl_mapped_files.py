"""Hundreds of files, one batch each, and never more of them at the vendor than its contract allows.

A task is mapped over the files of a folder. A pool that counts deferred tasks, too, limits them:

    airflow pools set revenuebase 10 "Batches at Revenuebase at a time" --include-deferred

Without `--include-deferred`, a task that waits in the triggerer holds no slot, and all files would be at the vendor at
once; `max_active_tasks` of a DAG does not count them either. With it, a slot is held from the submit until the result
has landed, by all DAGs that use the pool together: so it is also what shares a vendor's rate limit among them. The pool
must exist before the DAG runs: tasks of a pool that does not are never started.

`BatchJobOperator` is the one to map for this, since one task, and one slot, is all of a batch. In the tasks of a
`batch_job` group the slot is free for the next submit between two of them.

Airflow maps over up to 1,024 elements (`[core] max_map_length`). Each mapped task retries by itself: a file that fails
holds up no other, and clearing the failed ones submits those alone.

Needs the connection `revenuebase_default` (type `revenuebase`, the API key as its password). The Airflow Variable
`batchdl_landing` names the folder to land in; without it, `/tmp/batchdl` on the worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, ObjectStoragePath, Param, get_current_context, task

from airflow_provider_batchdl.operators.run import BatchJobOperator


@task
def files() -> list[str]:
    """The files to verify, in an order that stays the same when the task is cleared."""
    folder = ObjectStoragePath(get_current_context()["params"]["folder"])
    return sorted(str(path) for path in folder.iterdir() if path.suffix == ".csv")


@task
def summary(landings: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Sum up the landed files; landings are read from XCom one by one, however many there are."""
    counts = [(landing["bytes"], sum(file["rows"] or 0 for file in landing["files"])) for landing in landings]
    return {"batches": len(counts), "bytes": sum(size for size, _ in counts), "rows": sum(rows for _, rows in counts)}


with DAG(
    dag_id="example_batchdl_mapped_files",
    schedule=None,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "folder": Param(
            str(Path(__file__).parents[1] / "data"),
            type="string",
            title="Folder",
            description="Where the .csv files are: a path, or a URL like s3://aws_default@bucket/contacts.",
        ),
    },
    tags=["batchdl", "example"],
    doc_md=__doc__,
) as dag:
    verify = BatchJobOperator.partial(
        task_id="verify",
        conn_id="revenuebase_default",
        # A folder per batch: every mapped task must have a destination of its own.
        destination="{{ var.value.get('batchdl_landing', '/tmp/batchdl') }}/files/{{ run_id }}/{{ ti.map_index }}/",
        outlets=[Asset("batchdl_mapped_files")],
        pool="revenuebase",
        deferrable=True,
        # The UI shows the file's name instead of a number.
        map_index_template="{{ task.file.rpartition('/')[2] }}",
    ).expand(file=files())
    summary(verify.output)
