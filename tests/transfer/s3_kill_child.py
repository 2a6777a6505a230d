"""Downloads one job's result to S3 in a process of its own, which may be killed, and prints the landing.

Run as ``python -m tests.transfer.s3_kill_child``, with the job and the destination as JSON on standard input.
"""

from __future__ import annotations

import json
import logging
import sys

import s3fs

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.sinks import buffered
from airflow_provider_batchdl.transfer.sinks.s3 import checkpointed, sink
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account


def main() -> None:
    order = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO)
    sink.BLOCK, buffered.IN_FLIGHT_BYTES = order["block"], 2 * order["block"]
    checkpointed.EVERY = checkpointed.WORTH_RECORDING = order["every"]
    fs = s3fs.S3FileSystem(endpoint_url=order["endpoint"], key=order["key"], secret=order["secret"])
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        destination = Destination(fs, order["path"], f"s3://{order['path']}")
        landing = download(client, order["job_id"], destination, sha256=order.get("sha256", True))
    print(json.dumps(landing.to_dict()))  # noqa: T201 its only output
    fs.close_session(fs.loop, fs._s3creator)


if __name__ == "__main__":
    main()
