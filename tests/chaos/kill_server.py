"""A warmed-up interpreter that submits in forks of itself, and dies at a line: ``python -m tests.chaos.kill_server``.

One order a line of JSON on standard input, one answer a line on standard output. A fork is one try of a task: it runs
the package's submit with a record in a file, as Airflow's state store keeps one, and kills itself with SIGKILL right
before the ordered line. No handler and no ``finally`` runs after it. As `tests.chaos.fork_server` does for downloads.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, cast

from airflow.sdk import Connection

import airflow_provider_batchdl
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators import job_record
from airflow_provider_batchdl.operators.submission import Submission
from airflow_provider_batchdl.vendors import base

PACKAGE = f"{Path(airflow_provider_batchdl.__file__).parent}{os.sep}"


class FileStore:
    """A task's state store in one file. As Airflow's, it has the whole of what was set, or what was there before."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get(self, key: str) -> Any:
        return json.loads(self._path.read_text()).get(key) if self._path.exists() else None

    def set(self, key: str, value: Any) -> None:
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({key: value}))
        written.replace(self._path)

    def delete(self, key: str) -> None:
        self._path.unlink(missing_ok=True)


class Lines:
    """Counts the package's lines as each is about to run for the first time, and kills the process at one of them.

    Args:
        fatal: the number of the line, from 1; 0 for none.
    """

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self.seen: dict[tuple[str, int], None] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.seen.setdefault((frame.f_code.co_filename, frame.f_lineno))
            if len(self.seen) == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line


def perform(order: dict[str, Any]) -> dict[str, Any]:
    """One try; returns how it ended, and how many lines it took."""
    connection = order["connection"]
    hook = BatchApiHook(order["conn_id"])
    hook._connection = Connection(
        conn_id=order["conn_id"], **{**connection, "extra": json.dumps(connection.get("extra") or {})}
    )
    context = {"ti": SimpleNamespace(max_tries=0), "task_state_store": FileStore(order["store"])}
    lines = Lines(order["fatal"])
    outcome: dict[str, Any]
    sys.settrace(lines)
    try:
        outcome = {"job": Submission(cast("Any", context)).ensure(hook, order["request"], order["file"]).id}
    except BatchDlError as error:
        outcome = {"error": type(error).__name__, "message": error.message, "retryable": error.retryable}
    finally:
        sys.settrace(None)
    return {**outcome, "lines": len(lines.seen)}


def forked(order: dict[str, Any]) -> dict[str, Any]:
    """The same in a fork, which may be killed."""
    answer, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(answer)
        with os.fdopen(write_end, "w") as out:
            out.write(json.dumps(perform(order)))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(answer) as told:
        outcome = told.read()  # ends with the fork
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(outcome) if code == 0 else {"killed": code == -signal.SIGKILL, "code": code}


def main() -> None:
    """Serve orders until standard input ends. The first is carried out here: it imports what forks then have."""
    logging.disable(logging.CRITICAL)
    policy.BACKOFF_CAP = 0.0
    base.ADOPTION_DELAYS = (0.0, 0.0, 0.0)
    job_record.STORE_PAUSES = (0.0, 0.0)
    policy.ssl_context()
    out = os.dup(1)
    os.dup2(2, 1)  # whatever is logged is no answer
    orders = open(0, "rb", buffering=0)  # noqa: SIM115  unbuffered, so that a fork finds nothing read ahead
    is_first = True
    while line := orders.readline():
        order = json.loads(line)
        answer = perform(order) if is_first else forked(order)
        if is_first:
            gc.disable()
            gc.freeze()  # a fork then copies no memory for it
        is_first = False
        os.write(out, json.dumps({**answer, "threads": threading.active_count()}).encode() + b"\n")


if __name__ == "__main__":
    main()
