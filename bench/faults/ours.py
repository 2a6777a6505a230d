"""One download by this engine, in a process of its own: `python -m bench.faults.ours < order.json`.

It prints nothing where all went well, else one line: the error's type.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import sys
from importlib import import_module
from typing import Any

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from bench.faults.judge import UNTYPED

LOWERED = {
    ("airflow_provider_batchdl.transfer.source.connection", "IDLE_TIMEOUT"): 3.0,
    ("airflow_provider_batchdl.transfer.source.stream", "RATE_WINDOW"): 3.0,
}
"""Patience, in seconds, that this harness shortens: a cell must not take minutes."""


def lower_time_outs() -> dict[str, float]:
    """Shorten the engine's patience; returns what it was."""
    before = {}
    for (module_name, constant), seconds in LOWERED.items():
        module = import_module(module_name)
        before[constant] = float(getattr(module, constant))
        setattr(module, constant, seconds)
    return before


def filesystem(options: dict[str, Any] | None) -> Any:
    """The local disk, or the S3 store that the options name."""
    if options is None:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()
    import s3fs

    return s3fs.S3FileSystem(**options, skip_instance_cache=True)


def main() -> int:
    """Download; 1 where the engine refuses."""
    faulthandler.enable()  # SIGABRT ends one that hangs
    order = json.load(sys.stdin)
    lower_time_outs()
    logging.disable(logging.CRITICAL)
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    place = Destination(filesystem(order["s3"]), order["path"], order["path"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        try:
            download(client, order["job_id"], place, max_connections=order["connections"])
        except BatchDlError as error:
            sys.stdout.write(type(error).__name__)
            return 1
        except Exception as error:  # noqa: BLE001 to be shown in the table, and counted as a broken promise
            sys.stdout.write(f"{UNTYPED} {type(error).__name__}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
