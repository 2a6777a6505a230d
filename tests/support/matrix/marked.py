"""Jobs that the emulator's record tells apart: each carries the mark of the task that submitted it."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # every task of the matrix reads this module
    from airflow_provider_batchdl.emulator import EmulatedJob

VENDORS = ("revenuebase", "proofy", "batchcom", "apartmentiq")
CANCELLING = ("revenuebase", "proofy", "apartmentiq")
"""The vendors that can cancel a job."""
PLACES, MODES = ("folder", "s3", "xcom"), ("deferred", "waiting")
LANDINGS = {
    f"{vendor}_{place}_{mode}": (vendor, place, mode)
    for row, vendor in enumerate(VENDORS)
    for column, place in enumerate(PLACES)
    for mode in [MODES[(row + column) % 2]]
}
"""Tasks by id. Each vendor meets each destination, and each of both meets both modes; `dag.test()` runs all three with
all.
"""


def connection_of(vendor: str) -> str:
    """The connection's id: the matrix' own, since triggerers remember connections for a while."""
    return f"kills_{vendor}"


def mark_of(dag_id: str, task_id: str) -> str:
    """The mark of a task's jobs."""
    return f"{dag_id}-{task_id}"


def marked_work(vendor: str, mark: str, folder: Path) -> dict[str, Any]:
    """The arguments that submit a small job: ``conn_id``, and ``request`` or ``file``.

    Args:
        vendor: whose job.
        mark: what to recognise it by. No two tasks share one, or they could adopt each other's jobs: two vendors know
            a job by its request only.
        folder: where the file to upload is made.
    """
    conn_id = connection_of(vendor)
    addresses = [f"{name}@{mark}.example".replace("_", "-") for name in ("ada", "grace", "edsger")]
    if vendor == "revenuebase":
        people = folder / f"{mark}.csv"
        if not people.exists():  # every process of every task parses the DAG
            whole = people.with_suffix(f".{zlib.crc32(mark.encode())}")
            whole.write_text("email\n" + "".join(f"{address}\n" for address in addresses))
            whole.replace(people)
        return {"conn_id": conn_id, "file": str(people)}
    if vendor == "proofy":
        return {"conn_id": conn_id, "request": {"emails": addresses}}
    if vendor == "batchcom":
        request = {"export_type": "ATTRIBUTES", "attributes": ["$email_address", mark], "identifiers": ["custom_id"]}
        return {"conn_id": conn_id, "request": request}
    report = {
        "report_type": "property",
        "output_format": "csv",
        "start_date": "2026-10-01",
        "end_date": "2026-10-31",
        "property_ids": [_number(mark)],
    }
    return {"conn_id": conn_id, "request": report}


def has_mark(job: EmulatedJob, mark: str) -> bool:
    """Whether a job was submitted with a mark."""
    if job.vendor == "revenuebase":
        return (job.filename or "").startswith(f"{mark}-")
    if job.vendor == "apartmentiq":
        return job.request.get("property_ids") == [_number(mark)]
    sought = f"@{mark}.example".replace("_", "-") if job.vendor == "proofy" else json.dumps(mark)
    return sought in json.dumps(job.request)


def _number(mark: str) -> int:
    return zlib.crc32(mark.encode())
