"""The command ``batchdl-emulator``."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.core import Emulator


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="batchdl-emulator",
        description="Serve the vendors that the provider knows, and their object store, on loopback.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8099, help="port of the APIs, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--store-port", type=int, default=0, help="port of the object store (default: a free one)")
    parser.add_argument("--seed", type=int, default=0, help="decides keys, ids and results (default: %(default)s)")
    parser.add_argument("--queue-seconds", type=float, default=0.3, help="how long a job waits (default: %(default)s)")
    parser.add_argument("--run-seconds", type=float, default=0.7, help="how long a job runs (default: %(default)s)")
    parser.add_argument(
        "--poll-interval", type=float, default=1.0, help="seconds between polls, for --env (default: %(default)s)"
    )
    parser.add_argument("--no-rate-limits", action="store_true", help="accept any number of requests")
    parser.add_argument("--env", action="store_true", help="print export lines for AIRFLOW_CONN_* instead of a summary")
    return parser


def connection_lines(emulator: Emulator, poll_interval: float = 1.0) -> list[str]:
    """Return shell lines that export the Airflow connections."""
    return [
        f"export AIRFLOW_CONN_{name.upper()}={shlex.quote(json.dumps(connection))}"
        for name, connection in emulator.connections(poll_interval=poll_interval).items()
    ]


def _summary(emulator: Emulator) -> list[str]:
    lines = []
    for vendor, url in emulator.urls.items():
        account = emulator.credentials[vendor]
        login = f"  login {account.login}" if account.login else ""
        extra = f"  extra {json.dumps(account.extra)}" if account.extra else ""
        lines.append(f"{vendor:<21} {url}{login}  password {account.password}{extra}")
    lines.append(f"{'store':<21} {emulator.store_url}")
    return [*lines, f"{'control':<21} {emulator.origin}/_emulator/health", "Ctrl-C ends it."]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until it is interrupted.

    Args:
        argv: arguments without the program's name; by default those of the process.

    Returns:
        the exit status: 0 after an interruption, 1 where a port is taken.
    """
    options = _parser().parse_args(argv)
    from airflow_provider_batchdl.emulator import Emulator

    emulator = Emulator(
        options.port,
        host=options.host,
        seed=options.seed,
        queue_seconds=options.queue_seconds,
        run_seconds=options.run_seconds,
        rate_limits=not options.no_rate_limits,
        store_port=options.store_port,
    )
    ended = threading.Event()
    try:
        emulator.start()
    except OSError as error:
        emulator.stop()
        print(error, file=sys.stderr)
        return 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        lines = connection_lines(emulator, options.poll_interval) if options.env else _summary(emulator)
        print("\n".join(lines), flush=True)
        ended.wait()
    finally:
        emulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
