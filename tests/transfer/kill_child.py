"""Downloads one job's result to the local disk in a process of its own, which may be killed, and prints the landing.

Run as ``python -m tests.transfer.kill_child``, with the job and the destination as JSON on standard input; with
``die_before`` there, it kills itself right before that many names were made, changed or removed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.transfer.landing import Destination, download
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account


def mortal(calls: int) -> None:
    """Die by SIGKILL before a call that changes a folder."""
    left = iter(range(calls))

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counted

    for name in ("replace", "unlink", "remove", "link"):
        setattr(os, name, wrapped(getattr(os, name)))


def main() -> None:
    order = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO)
    if "die_before" in order:
        mortal(order["die_before"])
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        landing = download(client, order["job_id"], Destination(LocalFileSystem(), order["path"], order["path"]))
    print(json.dumps(landing.to_dict()))  # noqa: T201 its only output


if __name__ == "__main__":
    main()
