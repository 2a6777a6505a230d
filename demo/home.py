"""One run's folder under `.demo/`: an Airflow home with its configuration, logs, database and what lands.

.demo/<run>/airflow/   AIRFLOW_HOME: airflow.cfg, airflow.db, logs/
.demo/<run>/*.log      what each component printed
.demo/<run>/landed/    what the DAGs downloaded
.demo/cache/           migrated empty databases, to copy instead of migrating for ten seconds
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAGS = ROOT / "example_dags"
KEPT_RUNS = 5
MIGRATE_SECONDS = 600
PORTS = range(20_000, 32_768)

# airflow.cfg: options by section.
Settings = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Home:
    """Where one run keeps its things, and how its Airflow is reached."""

    folder: Path
    port: int
    user: str
    password: str

    @property
    def airflow(self) -> Path:
        """The AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def landed(self) -> Path:
        """The object-storage folder that the DAGs download into."""
        return self.folder / "landed"

    @property
    def url(self) -> str:
        """Address of the UI and the REST API."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Environment of Airflow's processes: ours, without the caller's own Airflow settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        no_proxy = ",".join(filter(None, [kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1,localhost"]))
        return kept | {
            "AIRFLOW_HOME": str(self.airflow),
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            # Process titles are written over the environment otherwise, by which `processes` finds strays.
            "SPT_NOENV": "1",
        }


@contextlib.contextmanager
def new_home(runs: Path, settings: Settings | None = None) -> Iterator[Home]:
    """A folder of its own for this run, locked while it is in use; old ones go. `settings` stand before the demo's."""
    runs.mkdir(parents=True, exist_ok=True)
    prune(runs)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
    with (folder / "lock").open("w") as lock, reserved_port() as port:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home = Home(folder, port, "admin", secrets.token_urlsafe(12))
        home.airflow.mkdir()
        home.landed.mkdir()
        configure(home, settings or {})
        yield home


def prune(runs: Path) -> None:
    """Remove all but the newest runs, except those that are still running."""
    old = sorted((path for path in runs.iterdir() if (path / "lock").exists()), reverse=True)[KEPT_RUNS - 1 :]
    for run in old:
        with contextlib.suppress(OSError), (run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(run)


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets while it is reserved.

    Airflow binds it only when it has started, seconds later. Systems give ports from 32768 on to whoever asks for any;
    the UDP port of the same number, which nobody needs, tells other runs that it is taken.
    """
    for port in random.sample(PORTS, 100):
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            yield port
            return
    raise RuntimeError(f"a hundred ports between {PORTS.start} and {PORTS.stop} are taken")


def configure(home: Home, settings: Settings) -> None:
    """Write airflow.cfg, so that `AIRFLOW_HOME=… airflow …` shows a person the same Airflow later."""
    passwords = home.airflow / "passwords.json"
    write_private(passwords, json.dumps({home.user: home.password}))
    sections: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": DAGS,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "load_examples": False,
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "execution_api_server_url": f"{home.url}/execution/",
            # The default asks the network for the machine's full name, which may take seconds to fail.
            "hostname_callable": "socket.gethostname",
            "simple_auth_manager_users": f"{home.user}:admin",
            "simple_auth_manager_passwords_file": passwords,
            # The Test button of the connection form.
            "test_connection": "Enabled",
        },
        # How long a worker may take to notice that its task has ended; five seconds by default. A trigger that fires
        # before the scheduler knows that gets its task marked as failed ("state changed externally").
        #
        # A request that is not answered in time is sent again; a state that the task has reported already is then
        # refused, and the task fails. Five seconds by default, which a busy machine takes.
        "workers": {"min_heartbeat_interval": 1, "execution_api_timeout": 60},
        "database": {"sql_alchemy_conn": f"sqlite:///{home.airflow}/airflow.db"},
        "logging": {"base_log_folder": home.airflow / "logs"},
        "dag_processor": {"dag_bundle_storage_path": home.airflow / "bundles"},
        "api": {
            "host": "127.0.0.1",
            "port": home.port,
            "base_url": home.url,
            "workers": 1,
            "secret_key": secrets.token_urlsafe(32),
        },
        "api_auth": {"jwt_secret": secrets.token_urlsafe(48)},
    }
    for section, options in settings.items():
        sections.setdefault(section, {}).update(options)
    lines = ["# Written by `python -m demo`; what is not here has Airflow's default."]
    for section, options in sections.items():
        lines += ["", f"[{section}]", *(f"{key} = {str(value).replace('%', '%%')}" for key, value in options.items())]
    write_private(home.airflow / "airflow.cfg", "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that holds a secret."""
    path.touch(mode=0o600)
    path.write_text(text)


def provide_database(home: Home, cache: Path | None = None) -> None:
    """Put a migrated database into the home: a copy of an earlier run's, or a new one that later runs may copy.

    Args:
        home: the home.
        cache: the folder of what may be copied, in place of the one beside the home.
    """
    requirements = ROOT / "requirements" / "dev.txt"
    key = f"{version('apache-airflow-core')}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    template, database = (cache or home.folder.parent / "cache") / f"airflow-{key}.db", home.airflow / "airflow.db"
    if template.exists():
        shutil.copyfile(template, database)
        return
    print("          preparing Airflow's database (once) …", flush=True)
    migrate(home)
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=template.parent) as scratch:
        copy = Path(scratch) / template.name
        # Not a file copy: SQLite may keep part of a database in a journal beside it.
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        copy.replace(template)  # whole or not at all, also where two first runs meet


def migrate(home: Home) -> None:
    """Let Airflow make its tables in the database that the home's configuration names."""
    with (home.folder / "db-migrate.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=home.environment(),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            check=True,
            timeout=MIGRATE_SECONDS,
        )
