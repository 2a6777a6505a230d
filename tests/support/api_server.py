"""Airflow's API server in a process of its own, with a database that has connections and nothing else.

``python -m tests.support.api_server`` prints one line, the JSON ``{"url": …, "token": …}``, serves on loopback, and
ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.server_process import server_process

ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = {
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}


@contextmanager
def api_server(home: Path, *installed: Path) -> Iterator[httpx.Client]:
    """A client of a running API server, logged in as an administrator.

    Args:
        home: an empty folder for its configuration and database.
        installed: folders with packages that it finds, too.
    """
    settings = {**_SETTINGS, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *installed)))}
    with server_process(home, ["-m", "tests.support.api_server"], settings) as told:
        headers = {"Authorization": f"Bearer {told['token']}"}
        with httpx.Client(base_url=told["url"], headers=headers, trust_env=False, timeout=240) as client:
            yield client


def main() -> None:
    """Serve until standard input ends."""
    import uvicorn
    from airflow.api_fastapi.app import create_app
    from airflow.models import Connection
    from airflow.models.log import Log
    from airflow.models.revoked_token import RevokedToken
    from airflow.settings import engine

    table: Any = Connection.__table__
    tables = [table, RevokedToken.__table__, Log.__table__, *(key.column.table for key in table.foreign_keys)]
    table.metadata.create_all(engine, tables=tables)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # what asks before uvicorn is ready waits
        config = uvicorn.Config(create_app(apps="core"), log_level="warning")
        server = uvicorn.Server(config)
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        token = httpx.get(f"{url}/auth/token", trust_env=False, timeout=240).json()["access_token"]
        sys.stdout.write(json.dumps({"url": url, "token": token}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.should_exit = True


if __name__ == "__main__":
    main()
