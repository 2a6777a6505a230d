"""Lands one job's result in Google Cloud Storage in a process of its own, which may be killed or measured.

Run as ``python -m tests.transfer.gcs_child``, with the job, the destination and the store's address as JSON on standard
input. Prints the landing and what memory it took, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.transfer.memory_child import status


def main() -> None:
    order = json.load(sys.stdin)
    from gcsfs.core import GCSFileSystem

    import airflow_provider_batchdl.operators.run  # noqa: F401 what a task has imported anyway
    from airflow_provider_batchdl.client import BatchClient
    from airflow_provider_batchdl.transfer.job_download import Destination, download
    from airflow_provider_batchdl.vendors import vendor_class
    from airflow_provider_batchdl.vendors.account import Account

    account = Account(order["url"], order["password"], order["login"], order["extra"])
    fs = GCSFileSystem(token="anon", endpoint_url=order["endpoint_url"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here (proc(5))
        landing = download(client, order["job_id"], Destination(fs, order["path"], "result"))
        over = status("VmHWM") - before
    print(json.dumps({"over": over, "landing": landing.to_dict()}))  # noqa: T201 its only output


if __name__ == "__main__":
    main()
