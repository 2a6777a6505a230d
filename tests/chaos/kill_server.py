"""A warmed-up interpreter that submits in forks of itself, and dies at a line: ``python -m tests.chaos.kill_server``.

One order a line of JSON on standard input, one answer a line on standard output. A fork is one try of a task: it runs
the package's submit with a record in a file, as Airflow's state store keeps one, or beside a destination, as before
Airflow 3.3. It kills itself with SIGKILL right before the ordered line, or the ordered step on the file system beside
the destination. No handler and no ``finally`` runs after it. As `tests.chaos.fork_server` does for downloads.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, cast

from airflow.sdk import Connection

import airflow_provider_batchdl
from airflow_provider_batchdl._tasks import job_record
from airflow_provider_batchdl._tasks.submit_once import SubmitOnce
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.environment import ssl_context
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.vendors import submitting
from tests.chaos.fork_server import die_before_step

PACKAGE = f"{Path(airflow_provider_batchdl.__file__).parent}{os.sep}"


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


class FileStore:
    """A task's state store in one file. As Airflow's, it has the whole of what was set, or what was there before."""

    def __init__(self, path: str, lines: Lines) -> None:
        self._path, self._lines = Path(path), lines
        self.written_at: list[int] = []

    def get(self, key: str) -> Any:
        return json.loads(self._path.read_text()).get(key) if self._path.exists() else None

    def set(self, key: str, value: Any) -> None:
        self.written_at.append(len(self._lines.seen))
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({key: value}))
        written.replace(self._path)

    def delete(self, key: str) -> None:
        self._path.unlink(missing_ok=True)


def perform(order: dict[str, Any]) -> dict[str, Any]:
    """One try; returns how it ended, how many lines it took, and at which of them the record in a file was written."""
    connection = order["connection"]
    hook = BatchApiHook(order["conn_id"])
    hook._connection = Connection(
        conn_id=order["conn_id"], **{**connection, "extra": json.dumps(connection.get("extra") or {})}
    )
    lines = Lines(order["fatal"])
    store = FileStore(order["store"], lines)
    ti = SimpleNamespace(dag_id="made_up", run_id="run_1", task_id="task", map_index=-1, max_tries=0)
    run = SimpleNamespace(start_date=datetime(2026, 1, 1, tzinfo=UTC))
    context: dict[str, Any] = {"ti": ti, "dag_run": run, "task": SimpleNamespace()}
    if order["destination"] is None:
        context["task_state_store"] = store
    elif order["step"]:
        die_before_step(order["step"], order["destination"])
    outcome: dict[str, Any]
    sys.settrace(lines)
    try:
        submission = SubmitOnce(cast("Any", context), destination=order["destination"])
        outcome = {"job": submission.ensure(hook, order["request"], order["file"], before_submit=lambda _: None).id}
    except BatchDlError as error:
        outcome = {"error": type(error).__name__, "message": error.message, "retryable": error.retryable}
    finally:
        sys.settrace(None)
    return {**outcome, "lines": len(lines.seen), "written_at": store.written_at}


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
    submitting.ADOPTION_DELAYS = (0.0, 0.0, 0.0)
    job_record.STORE_PAUSES = (0.0, 0.0)
    ssl_context()
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
