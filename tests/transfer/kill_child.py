"""Downloads one job's result to the local disk in a process of its own, which may be killed, and prints the landing.

Run as ``python -m tests.transfer.kill_child``, with the job and the destination as JSON on standard input.
"""

from __future__ import annotations

import json
import logging
import sys

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.transfer.landing import Destination, download
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account


def main() -> None:
    order = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO)
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        landing = download(client, order["job_id"], Destination(LocalFileSystem(), order["path"], order["path"]))
    print(json.dumps(landing.to_dict()))  # noqa: T201 its only output


if __name__ == "__main__":
    main()
