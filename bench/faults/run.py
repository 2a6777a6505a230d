"""One cell: an engine in a child process, against one fault, with a time-out that ends it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.faults.columns import Column
from bench.faults.engines import Engine
from bench.faults.judge import NOTHING, Cell, Seen, digest_of, judged
from bench.faults.s3_proxy import StoreFault, s3_proxy
from bench.faults.scenes import Scene, arranged
from bench.peer_venv import ROOT, child_environment
from tests.support.seaweedfs import S3Store

PATIENCE = 25.0
"""Seconds after which a peer counts as hung."""
OUR_PATIENCE = 60.0
"""The same for this engine, whose store columns take longer, and where a false alarm ends the run in red."""
SPEED = 8 << 20
"""Bytes a second of each connection where there may be several: less than the engine could take."""
BUCKET = "faults"
NAME = "result.bin"


def run_cell(engine: Engine, column: Column, store: S3Store, *, tmpfs: bool) -> Cell:
    """Run one engine against one fault and judge what it left.

    Args:
        engine: the row.
        column: the fault.
        store: the S3 server.
        tmpfs: whether a small file system can be mounted for the full disk.

    Raises:
        RuntimeError: the cell is none: the fault never struck, or there were not several connections.
    """
    if (column.store and not engine.s3) or (column.disk and engine.s3):
        return NOTHING
    speed = SPEED if engine.connections > 1 else None
    with arranged(column, engine.size, engine.strike, speed=speed) as scene:
        seen = _into_s3(engine, column, scene, store) if engine.s3 else _to_disk(engine, column, scene, tmpfs)
        # Where a column's file changes unseen, one fault waits for whoever asks for a part of it all the same.
        surely = column.divided or (column.odd and not column.changes)
        if engine.ours and surely and scene.emulator.unused_faults:
            raise RuntimeError(f"{engine.name}, {column.key}: never struck: {scene.emulator.unused_faults}")
        if engine.connections > 1 and column.divided and scene.at_once < 2:
            raise RuntimeError(f"{engine.name}, {column.key}: it never had two connections at once")
        return judged(seen)


def _to_disk(engine: Engine, column: Column, scene: Scene, tmpfs: bool) -> Seen:
    room = scene.size * 2 // 3
    with tempfile.TemporaryDirectory(prefix="faults-") as parent:
        folder = Path(parent) / "landed"
        folder.mkdir()
        with _mounted(folder, room) if column.disk and tmpfs else contextlib.nullcontext():
            path = folder / NAME
            order = {**_order(engine, scene), "path": str(path), "s3": None}
            command = engine.command(order)
            command = _limited(command, room) if column.disk and not tmpfs else command
            ended, error = _child(command, order, OUR_PATIENCE if engine.ours else column.patience or PATIENCE)
            digest, length = digest_of(path)
            # Only this engine promises to leave nothing at all beside the target.
            left = tuple(sorted(each.name for each in folder.iterdir() if each != path)) if engine.ours else ()
        return _seen(scene, ended, error, digest, length, left)


def _into_s3(engine: Engine, column: Column, scene: Scene, store: S3Store) -> Seen:
    key = f"{uuid.uuid4().hex}/{NAME}"
    fault = StoreFault(*column.store) if column.store else None
    client = store.client()
    try:
        with s3_proxy(store.endpoint_url, fault) as endpoint_url:
            access = {"endpoint_url": endpoint_url, "key": store.access_key, "secret": store.secret_key}
            order = {**_order(engine, scene), "path": f"{BUCKET}/{key}", "s3": access}
            ended, error = _child(engine.command(order), order, OUR_PATIENCE if engine.ours else PATIENCE)
        if fault and not fault.struck:
            raise RuntimeError(f"{column.key}: the engine made no such call to the store")
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads") or []
        left = tuple("an unfinished upload" for upload in uploads if upload["Key"] == key)
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            path = Path(folder) / NAME
            with contextlib.suppress(client.exceptions.ClientError):
                client.download_file(BUCKET, key, str(path))
            digest, length = digest_of(path)
        client.delete_object(Bucket=BUCKET, Key=key)
        return _seen(scene, ended, error, digest, length, left)
    finally:
        client.close()


def _order(engine: Engine, scene: Scene) -> dict[str, Any]:
    if engine.ours:
        return scene.order(engine.connections)
    return {"url": scene.url, "headers": scene.headers, "size": scene.size, "sha256": scene.good}


def _seen(scene: Scene, ended: Any, error: str, digest: str | None, length: int, left: tuple[str, ...]) -> Seen:
    server = (scene.good, scene.size, scene.sent, error, scene.good_later, scene.leaked)
    return Seen(ended, digest, length, *server, left, scene.hasty, scene.packed)


def _child(command: list[str], order: dict[str, Any], patience: float) -> tuple[str, str]:
    """Run a command; tells how it ended and the error's name."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=child_environment(), text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = process.communicate(json.dumps(order), timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT if patience == OUR_PATIENCE else signal.SIGKILL)
        try:
            err = process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            err = process.communicate()[1]
        sys.stderr.write(err)  # this engine's says where each of its threads is
        return "hung", ""
    if process.returncode == 0:
        return "ok", ""
    if err.lstrip().startswith("Traceback"):
        raise RuntimeError(f"{command[:4]} broke:\n{err[-2000:]}")
    return "error", out.strip() or f"exit {process.returncode}"


def _limited(command: list[str], room: int) -> list[str]:
    """The command with a limit on the size of the files that it writes; POSIX's unit is 512 bytes."""
    return ["sh", "-c", 'ulimit -f "$0" && exec "$@"', str(room // 512), *command]


@contextlib.contextmanager
def _mounted(folder: Path, room: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room // 4096 * 4096}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def can_mount() -> bool:
    """Whether a small file system can be mounted here (root only, and not in every container)."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        )
        if tried.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)
        return tried.returncode == 0
