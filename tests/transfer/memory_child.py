"""Downloads one job's result in a process of its own and prints what memory that took, as JSON.

Run as ``python -m tests.transfer.memory_child``, with the job and the destination as JSON on standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def status(name: str) -> int:
    """A line of ``/proc/self/status`` in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def filesystem(order: dict[str, Any]) -> Any:
    if order.get("azure"):
        import adlfs

        return adlfs.AzureBlobFileSystem(**order["azure"])
    if order["s3"] is None:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()
    import s3fs

    return s3fs.S3FileSystem(**order["s3"])


def main() -> None:
    order = json.load(sys.stdin)
    import airflow_provider_batchdl.operators.run  # noqa: F401 what a task has imported anyway
    from airflow_provider_batchdl.client import BatchClient
    from airflow_provider_batchdl.transfer.job_download import Destination, download
    from airflow_provider_batchdl.vendors import vendor_class
    from airflow_provider_batchdl.vendors.account import Account

    kind, extra = vendor_class(order["vendor"]).chosen_by(order["extra"], None)
    account = Account(order["url"], order["password"], order["login"], extra)
    fs = filesystem(order)
    with BatchClient(kind(account)) as client:
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here (proc(5))
        landing = download(
            client, order["job_id"], Destination(fs, order["path"], "result"), **order.get("options", {})
        )
        peak = status("VmHWM")
    result = {"over": peak - before, "before": before, "landing": landing.to_dict()}
    print(json.dumps(result))  # noqa: T201 its only output


if __name__ == "__main__":
    main()
