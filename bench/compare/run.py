"""One cell: an engine plays a scene in processes of its own, and what came of it is measured."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.compare import airbyte
from bench.compare.engines import rows_of
from bench.compare.judge import Seen
from bench.compare.play import Play
from bench.compare.scenes import PROMPTS, RESTART_AFTER, TRIES, Scene
from bench.compare.stage import Stage, arranged
from bench.peer_venv import ROOT, PeerVenv, child_environment

PEERS = PeerVenv("compare")
PATIENCE = 600.0
"""Seconds after which a process counts as hung: a busy machine takes half a minute to import Airflow."""


def play(engine: str, scene: Scene, prompts: int = PROMPTS, *, here: bool = False) -> Seen:
    """Let an engine play a scene.

    Args:
        engine: a module of `engines`, or `airbyte`.
        scene: what goes wrong.
        prompts: requests in the batch.
        here: in this process, for a test that has Airflow already.

    Raises:
        RuntimeError: a fault never struck, or the harness itself failed.
    """
    with arranged(scene) as stage, tempfile.TemporaryDirectory(prefix="compare-") as folder:
        order = {
            "engine": engine, "folder": folder, "key": stage.key, "base_url": stage.base_url, "prompts": prompts,
            "own_header": scene.own_header, "restart": scene.restart,
        }  # fmt: skip
        if here:
            report = {**Play(order).run(), "by_hand": []}
        else:
            report = (_manifest if engine == "airbyte" else _operators)(order, stage)
        if scene.restart and not report["restarts"]:
            raise RuntimeError(f"{engine}, {scene.key}: nothing was restarted")
        return _seen(report, stage, prompts)


def _operators(order: dict[str, Any], stage: Stage) -> dict[str, Any]:
    folder = Path(order["folder"])
    (folder / "order.json").write_text(json.dumps(order))
    python = sys.executable if order["engine"] == "ours" else str(PEERS.python)
    command = [python, "-W", "ignore", "-m", "bench.compare.play", str(folder / "order.json")]
    code, output = _finished(command, folder)
    if code != 0:
        raise RuntimeError(f"{order['engine']} broke:\n{output[-3000:]}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return {**report, "by_hand": []}


def _manifest(order: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Sync by sync, as Airbyte's platform does: one that fails is begun anew, and its records replace the last ones."""
    folder = Path(order["folder"])
    command = [str(PEERS.python.with_name(airbyte.COMMAND)), *airbyte.prepare(order)]
    by_hand = [*airbyte.BY_HAND]
    tries: list[list[str | None]] = []
    restarts = between = 0
    rows: list[tuple[int, str]] | None = None

    def waits() -> bool:
        return bool(stage.jobs)

    while len(tries) - restarts < TRIES:
        kill = waits if order["restart"] and not restarts else None
        code, output = _finished(command, folder, kill)
        tries.append(["success", None] if code == 0 else ["killed", None] if kill else ["failed", _error(output)])
        found = airbyte.records(output)
        if code == 0:
            rows = found
            break
        between = max(between, len(found))
        restarts += kill is not None
    return {
        "tries": tries, "restarts": restarts, "seen_between": between, "succeeded": rows is not None, "rows": rows,
        "wait_deferred": False, "file": None, "largest_message": 0, "key_in_airflow": False, "by_hand": by_hand,
    }  # fmt: skip


def _error(output: str) -> str:
    """The last error that a read printed: the type of what it says went wrong."""
    found = "?"
    for line in output.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            error = json.loads(line)["trace"]["error"]
            found = str(error.get("stack_trace") or error["message"]).strip().splitlines()[-1].partition(":")[0]
    return found.rpartition(".")[2]


def _finished(command: list[str], folder: Path, kill_when: Callable[[], bool] | None = None) -> tuple[int, str]:
    """Run a command to its end, or until a condition has held for a moment; its exit code and all that it printed."""
    environment = {**child_environment(), "AIRFLOW_HOME": str(folder), "NO_PROXY": "*"}
    output = folder / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < deadline:
                if kill_when is not None and kill_when():
                    time.sleep(RESTART_AFTER)
                    break
                time.sleep(0.05)
            else:
                if process.poll() is None:
                    raise RuntimeError(f"{command[:4]} hung:\n{output.read_text()[-3000:]}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, output.read_text()


def _seen(report: dict[str, Any], stage: Stage, prompts: int) -> Seen:
    """What a run left, beside what the vendor has."""
    # Who adopts a job after a lost answer submits once, and so is not kept waiting for a second one.
    unused = [fault for fault in stage.emulator.unused_faults if fault.kind != "stall"]
    if stage.jobs and unused:
        raise RuntimeError(f"never struck: {unused}")
    truth = stage.result() if stage.jobs else b""
    right = dict(rows_of(truth.decode().splitlines()))
    rows = [tuple(row) for row in report["rows"]] if report["rows"] is not None else None
    path = report["file"]
    return Seen(
        succeeded=report["succeeded"],
        tries=len([state for state, _ in report["tries"] if state != "killed"]),
        error=", ".join(dict.fromkeys(error for _, error in report["tries"] if error)) or None,
        jobs=len(stage.jobs),
        cancelled=sum(job.cancelled for job in stage.jobs),
        prompts=prompts,
        right=None if rows is None else len({index for index, text in rows if right.get(index) == text}),
        twice=0 if rows is None else len(rows) - len(dict(rows)),
        same_file=None if path is None else Path(path).read_bytes() == truth,
        seen_between=report["seen_between"],
        at_store=len(stage.at_store),
        secrets=stage.secrets_at_store,
        requests=stage.requests,
        deferred=report["wait_deferred"],
        largest_message=report["largest_message"],
        key_in_airflow=report["key_in_airflow"],
        by_hand=tuple(report["by_hand"]),
    )
