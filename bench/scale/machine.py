"""A database server with an empty Airflow database, from which each run gets its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.scale.database import Databases, databases
from bench.scale.plan import Account, End
from bench.scale.run import Run, say
from demo.processes import guarded

# Least seconds between two polls: as often as the limit allows, which is what is measured here.
POLL_INTERVAL = 1.0
# The triggerer's settings, where they are not Airflow's defaults; docs/scale.md says why.
SETTINGS = {
    "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "500",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
}
HOME = MIGRATED = "airflow"
STEP_SECONDS = 180.0


class Machine:
    """A database server with a migrated Airflow database in it, for several runs.

    Args:
        folder: for everything.
        databases: those of a running server.
    """

    def __init__(self, folder: Path, databases: Databases) -> None:
        self.folder, self.databases = folder, databases
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        own = {
            "AIRFLOW_HOME": str(folder / HOME),
            # Process titles are written over the environment otherwise, by which the guard finds strays.
            "SPT_NOENV": "1",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        }
        self._environment = kept | SETTINGS | own
        self._runs = 0
        databases.create(MIGRATED)
        with (folder / "migrate.log").open("wb") as log:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            environment = self.environment(MIGRATED)
            subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=STEP_SECONDS)

    def environment(self, database: str) -> dict[str, str]:
        """What Airflow's processes get."""
        return {**self._environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.databases.url(database)}

    @contextmanager
    def begin(self, kind: str, accounts: Mapping[str, Account], ends: Sequence[End]) -> Iterator[Run]:
        """A run with a database of its own, whose jobs end as ordered once the clock is started."""
        self._runs += 1
        folder = self.folder / f"run-{self._runs}"
        folder.mkdir()
        database = f"run{self._runs}"
        self.databases.create(database, template=MIGRATED)
        order = {
            "accounts": {name: [account.vendor, account.waits] for name, account in accounts.items()},
            "ends": [[end.account, end.index, end.at] for end in ends],
            "log": str(folder / "requests"),
        }
        vendors = subprocess.Popen(
            [sys.executable, "-m", "bench.scale.vendors"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            ready = json.loads(say(vendors, json.dumps(order)))
            self._fill(folder, database, {"kind": kind, **ready})
            yield Run(folder, self.databases, database, self.environment(database), vendors, ready["ids"])
        finally:
            vendors.kill()
            vendors.wait()

    def _fill(self, folder: Path, database: str, order: dict[str, Any]) -> None:
        polls = {"poll_interval": POLL_INTERVAL, "max_poll_interval": POLL_INTERVAL}
        for connection in order["connections"]:
            connection["extra"] = json.dumps({**connection["extra"], **polls})
        with (folder / "fill.log").open("wb") as log:
            subprocess.run(
                [sys.executable, "-m", "bench.scale.metadata"],
                input=json.dumps(order).encode(),
                env=self.environment(database),
                stdout=log,
                stderr=log,
                check=True,
                timeout=STEP_SECONDS,
            )


@contextmanager
def machine() -> Iterator[Machine]:
    """Start the database server, and remove everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="batchdl-scale-") as name:
        folder = Path(name)
        with guarded(folder / HOME), databases() as running:
            yield Machine(folder, running)
