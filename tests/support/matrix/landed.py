"""What a task must have left: the same, to the byte, as one that nobody disturbed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator import EmulatedJob
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.download import MAX_XCOM_BYTES
from airflow_provider_batchdl.transfer.state import WORK_FOLDER
from tests.support.matrix.marked import connection_of
from tests.support.matrix.run import Run

# What a landing tells of its way there.
_OF_THE_WAY = ("seconds", "resumed", "restarted", "connections")


def assert_whole(run: Run, task_id: str, job: EmulatedJob, elsewhere: Path) -> None:
    """A task's XComs, link and files are those of an undisturbed one for the same job.

    Args:
        run: the task's run, with the counts already taken: this asks the vendor.
        task_id: which task.
        job: the job whose result it is to have.
        elsewhere: a folder for what an undisturbed download leaves.
    """
    assert run.tasks()[task_id].state == "success"
    assert run.xcom(task_id, "job_id") == job.id
    assert run.xcom(task_id, "_link_BatchJobLink").startswith("https://")
    returned, folder = run.xcom(task_id), run.landed / task_id
    hook = BatchApiHook.for_connection(connection_of(job.vendor))
    if not folder.exists():
        assert returned == hook.fetch(job.id, max_bytes=MAX_XCOM_BYTES)
        return
    shield_until_done = hook.download(job.id, f"file://{elsewhere}/{task_id}/").to_dict()
    assert _essence(returned, folder) == _essence(shield_until_done, elsewhere / task_id)
    [file] = folder.glob("[!_.]*")
    [served] = job.files()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == served.sha256
    # Nothing partial, nothing twice; `_manifest.json` where it was asked for, the job's record before Airflow 3.3.
    assert {path.name for path in folder.iterdir()} <= {file.name, "_manifest.json", WORK_FOLDER}


def _essence(landing: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A landing without the way there, its files relative to their folder.

    Without the files' ETags as well: Batch.com makes a new file of the same bytes for every download.
    """
    files = [{**file, "uri": file["uri"].removeprefix(f"file://{folder}/"), "etag": None} for file in landing["files"]]
    return {**{name: value for name, value in landing.items() if name not in _OF_THE_WAY}, "files": files}
