"""Downloads one job's result to the local disk in a process of its own, which may be killed, and prints the landing.

Run as ``python -m tests.transfer.kill_child``, with the job and the destination, ``path``, as JSON on standard input.
With ``paths`` there, a copy of it lands at each, and kills itself right before one more change of a name.
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
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.parallel import scaling
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

    for name in ("replace", "unlink", "remove", "link", "mkdir", "rmdir"):
        setattr(os, name, wrapped(getattr(os, name)))


def main() -> None:
    order = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO)
    scaling.SOURCE_BOUND = 0.0  # on a busy machine the source is not what is waited for
    if "path" in order:
        print(json.dumps(land(order, order["path"])))  # noqa: T201 its only output
    else:
        statuses = [status_of_mortal(order, path, at) for at, path in enumerate(order["paths"])]
        print(json.dumps({"statuses": statuses}))  # noqa: T201


def status_of_mortal(order: dict[str, Any], path: str, calls: int) -> int:
    """The exit status of a copy of this process that dies before a call that changes a folder. 0 where it lives on."""
    process = os.fork()
    if not process:
        mortal(calls)
        land(order, path)
        os._exit(0)
    return os.waitpid(process, 0)[1]


def land(order: dict[str, Any], path: str) -> dict[str, Any]:
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        return download(client, order["job_id"], Destination(LocalFileSystem(), path, path)).to_dict()


if __name__ == "__main__":
    main()
