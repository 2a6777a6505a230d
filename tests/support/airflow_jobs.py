"""Jobs for tests of the Airflow layer: what each vendor is asked for, and what the emulator saw of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks.job_record import STATE_KEY
from airflow_provider_batchdl.emulator import EmulatedJob, Emulator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.transfer.state import WORK_FOLDER

# Where the state store of Airflow's tests has the record of the job of the task "task".
STORED = ("task", -1, STATE_KEY)
VENDORS = ("revenuebase", "proofy", "batchcom", "apartmentiq")
BOTH = pytest.mark.parametrize("make", [SubmitBatchJobOperator, BatchJobOperator], indirect=True)
"""For a test of either operator that submits; the fixture ``make`` is as `submitter` makes it."""
ADDRESSES = ["ada@example.com", "grace@example.com", "edsger@example.com"]


def submitter(request: pytest.FixtureRequest, **waits: Any) -> Callable[..., Any]:
    """Makes the operator that only submits, or with `BOTH` either; the one that waits does so as ``waits`` say."""
    kind: Any = getattr(request, "param", SubmitBatchJobOperator)
    return partial(kind, task_id="task", **(waits if kind is BatchJobOperator else {}))


def work(vendor: str, folder: Path) -> dict[str, Any]:
    """The arguments that submit a small job: ``conn_id``, and ``request`` or ``file``."""
    conn_id = f"{vendor}_default"
    if vendor == "revenuebase":
        people = folder / "people.csv"
        people.write_text("email\n" + "".join(f"{address}\n" for address in ADDRESSES))
        return {"conn_id": conn_id, "file": str(people)}
    if vendor == "proofy":
        return {"conn_id": conn_id, "request": {"emails": ADDRESSES}}
    if vendor == "batchcom":
        request = {"export_type": "ATTRIBUTES", "attributes": ["$email_address"], "identifiers": ["custom_id"]}
        return {"conn_id": conn_id, "request": request}
    report = {
        "report_type": "property",
        "output_format": "csv",
        "start_date": "2026-10-01",
        "end_date": "2026-10-31",
        "property_ids": [1201],
    }
    return {"conn_id": conn_id, "request": report}


def download(job: EmulatedJob, folder: Path | None = None, **arguments: Any) -> partial[DownloadBatchResultsOperator]:
    """What makes the task that downloads a job's result: to ``out.csv`` in ``folder``, or else into XCom."""
    place = {} if folder is None else {"destination": f"{folder}/out.csv"}
    given = {"task_id": "download", "conn_id": f"{job.vendor}_default", "job_id": job.id, **place, **arguments}
    return partial(DownloadBatchResultsOperator, **given)


def count(emulator: Emulator, operation: str) -> int:
    """How many requests of a kind reached the vendors."""
    return sum(record.operation == operation for record in emulator.requests)


def landed_in(folder: Path) -> list[Path]:
    """All that lies in a folder, hidden or not, but for the records of jobs that are there before Airflow 3.3."""
    return [path for path in folder.iterdir() if path.name != WORK_FOLDER]
