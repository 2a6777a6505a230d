"""A program of the tests that serves until it is killed, or its standard input ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def server_process(home: Path, command: list[str], settings: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What a server tells of itself once it serves: its URL and more.

    Args:
        home: an empty folder, its ``AIRFLOW_HOME``.
        command: arguments of Python; the program prints a line of JSON that begins with ``{"url"``.
        settings: environment variables beside this process's own, of which none is Airflow's.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    environment = kept | {"AIRFLOW_HOME": str(home), **settings}
    with (home / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = next((line for line in process.stdout if line.startswith('{"url"')), None)
            if line is None:
                log.seek(0)
                raise RuntimeError(f"the API server did not start:\n{log.read()[-5000:]}")
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield json.loads(line)
        finally:
            # It holds nothing that is of use later, and Airflow takes seconds to end by itself.
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
