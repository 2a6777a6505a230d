"""A warmed-up interpreter that downloads in forks of itself: ``python -m tests.chaos.fork_server``.

A new interpreter costs a second of imports for every try, and a schedule has several tries. This one imports
everything once, starts no thread, and forks for each order, one line of JSON on its standard input. It answers with
two lines: the fork's process id, when it is there, and how it ended. The fork is a real process, and what kills it is a
real SIGKILL, which it may send to itself: then it dies at exactly the byte, or the step on the file system, that was
ordered, with whatever it had in its hands.
"""

from __future__ import annotations

import ctypes
import json
import logging
import mmap
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from airflow_provider_batchdl.client import BatchClient, policy, retry_events
from airflow_provider_batchdl.client.environment import ssl_context
from airflow_provider_batchdl.client.retry_events import Retry
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account

log = logging.getLogger(__name__)

Order = dict[str, Any]

LOWERED: dict[str, float] = {
    "source.connection.IDLE_TIMEOUT": 2.0,  # a stall longer than this is a broken connection
    "sinks.s3.sink.BLOCK": 5 << 20,  # the smallest part that S3 takes, so that fewer bytes make several
    "sinks.buffered.IN_FLIGHT_BYTES": 5 << 20,
    "sinks.s3.checkpointed.WORTH_RECORDING": 10 << 20,
    "sinks.s3.checkpointed.EVERY": 5 << 20,
    # What is worth several connections, and how soon that is seen. Whoever shares this machine must not matter.
    "parallel.scaling.SOURCE_BOUND": 0.0,
    "parallel.division.WORTH_DIVIDING": 1 << 20,
    "parallel.division.WORTH_SECONDS": 0.05,
    "parallel.division.PIECE": 512 << 10,
    "parallel.division.RECORD_EVERY": 1 << 20,
    "parallel.scaling.LISTEN": 0.02,
    "parallel.scaling.PATIENCE": 0.3,
    "parallel.plan.SMALLEST_SHARE": 512 << 10,
}
"""Constants of `transfer` that are made smaller, so that a schedule takes tenths of a second and not minutes."""
LOWERED_IN_PARALLEL: dict[str, float] = {"source.stream.READ_SIZE": 64 << 10}
"""The same for several connections to a file: each has a read in its hands, and files are small here."""

ON_DESCRIPTORS = frozenset({"fcntl.flock", "os.truncate"})
STEPS = ON_DESCRIPTORS | {"open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir"}
"""Audit events (https://docs.python.org/3/library/audit_events.html) that count as steps on the local disk."""


class Wire:
    """Counts the bytes that this process takes from the source, and kills it at one of them.

    The engine reads results with ``recv_into``, the API's client does not. The count is in memory shared with the
    process that forked this one, so a kill does not lose it. No more is asked for than the fatal byte, so the kill
    comes at the same place every time. Beside it is how often the source was given up for its silence.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._count = ctypes.c_int64.from_buffer(self._page)
        self._silences = ctypes.c_int64.from_buffer(self._page, ctypes.sizeof(ctypes.c_int64))
        self._lock = threading.Lock()
        self._fatal: int | None = None
        self._receive: Callable[..., int] = socket.socket.recv_into

    @property
    def bytes(self) -> int:
        """How many there were since `reset`."""
        return self._count.value

    @property
    def silences(self) -> int:
        """How often nothing came for longer than the time-out since `reset`."""
        return self._silences.value

    def note(self, retry: Retry) -> None:
        """Count a retry that has to do with time."""
        self._silences.value += retry.reason in ("stalled", "timeout")

    def reset(self) -> None:
        """Count from zero."""
        self._count.value = self._silences.value = 0

    def watch(self, ports: list[int], fatal: int | None) -> None:
        """Count what comes from these ports; die with the byte number ``fatal``."""
        self._fatal = fatal
        counted = self

        def recv_into(sock: socket.socket, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
            try:
                counts = sock.getpeername()[1] in ports
            except OSError:
                counts = True  # the other side has ended it; what is left of it is still read
            if not counts:
                return counted._receive(sock, buffer, nbytes, flags)
            return counted._take(sock, buffer, nbytes or memoryview(buffer).nbytes, flags)

        socket.socket.recv_into = recv_into  # type: ignore[assignment, method-assign]

    def _take(self, sock: socket.socket, buffer: Any, most: int, flags: int) -> int:
        if self._fatal is not None:
            most = max(1, min(most, self._fatal - self.bytes))
        taken = self._receive(sock, buffer, most, flags)
        with self._lock:
            self._count.value += taken
        if self._fatal is not None and self.bytes >= self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return taken


def die_before_step(number: int, folder: str) -> None:
    """Kill this process right before its ``number``-th step (from 1) on the file system at ``folder``."""
    left = number

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        # A descriptor that is locked or cut is a partial's: nothing else here is.
        if event in STEPS and (event in ON_DESCRIPTORS or str(args[0]).startswith(folder)):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def perform(order: Order, wire: Wire, session: Any) -> dict[str, Any]:
    """Download as ordered; returns how it ended."""
    fatal = order["kill"] or {}
    account = Account(order["url"], order["password"], order["login"], order["extra"])
    place = Destination(_filesystem(order["s3"], session), order["path"], order["path"])
    retry_events.on_retry.append(wire.note)
    with BatchClient(vendor_class(order["vendor"])(account)) as client:
        if order["options"]["max_connections"] > 1:
            lower(LOWERED_IN_PARALLEL)
        wire.watch(order["ports"], fatal.get("byte"))
        if "step" in fatal:
            die_before_step(fatal["step"], order["path"].rpartition("/")[0])
        try:
            landing = download(client, order["job_id"], place, **order["options"])
        except BatchDlError as error:
            return {"error": type(error).__name__, "message": error.message, "typed": True}
        except Exception as error:
            log.exception("not one of ours")
            return {"error": type(error).__name__, "message": str(error), "typed": False}
    return {"landing": landing.to_dict()}


def _filesystem(options: dict[str, Any] | None, session: Any) -> Any:
    if options is None:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()
    import s3fs

    return s3fs.S3FileSystem(**options, session=session, skip_instance_cache=True)


def warm_session() -> Any:
    """A botocore session that has read its data files: 0.15 s that no fork has to spend again."""
    import s3fs  # noqa: F401  imported for the forks
    from aiobotocore.session import get_session

    session = get_session()
    loader = session.get_component("data_loader")
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"):
        loader.load_service_model("s3", kind)
    loader.load_data("endpoints")
    loader.load_data("partitions")
    return session


def hurry() -> None:
    """Wait between attempts no longer, and lower what `LOWERED` names."""
    policy.BACKOFF_CAP = 0.0
    ssl_context()
    lower(LOWERED)


def lower(constants: dict[str, float]) -> None:
    """Set constants of `transfer`, each of which has to be there."""
    for path, value in constants.items():
        name, _, constant = path.rpartition(".")
        module = import_module(f"airflow_provider_batchdl.transfer.{name}")
        setattr(module, constant, type(getattr(module, constant))(value))


def say(fact: dict[str, Any]) -> None:
    """One line to whoever gives the orders."""
    os.write(1, json.dumps(fact).encode() + b"\n")


def main() -> None:
    """Serve orders until standard input ends."""
    logging.basicConfig(level=logging.INFO)
    hurry()
    session, wire = warm_session(), Wire()
    orders = open(0, "rb", buffering=0)  # noqa: SIM115  unbuffered, so that a fork finds nothing read ahead
    say({"ready": os.getpid(), "threads": threading.active_count()})
    while line := orders.readline():
        wire.reset()
        answer, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.close(answer)
            with os.fdopen(write_end, "w") as out:
                out.write(json.dumps(perform(json.loads(line), wire, session)))
            os._exit(0)
        os.close(write_end)
        say({"pid": child})
        with os.fdopen(answer) as told:
            outcome = told.read()  # ends with the fork
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        say({"code": code, "wire": wire.bytes, "silences": wire.silences, **(json.loads(outcome) if code == 0 else {})})


if __name__ == "__main__":
    main()
