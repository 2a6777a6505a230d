"""PostgreSQL and Redis, reached through sockets in a folder of their own: no port, no network."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from demo.processes import guarded, tail
from tests.support.stack.programs import program

START_SECONDS = 240.0
STOP_SECONDS = 240.0


class Server:
    """A server's process.

    Args:
        folder: for its data, its socket and its log.
        command: starts it in the foreground.
        ready: whether it answers.
        stop: the signal that makes it drop its clients and end in order.
        user: whom it runs as; ourselves where None.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        stop: signal.Signals,
        user: str | None = None,
    ) -> None:
        self._folder = folder
        self._command = command
        self._ready = ready
        self._stop = stop
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                # The guard finds it by this variable, as it finds Airflow's own processes.
                env={**os.environ, "AIRFLOW_HOME": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._command[0]} does not start:\n{tail(self._folder / 'log')}")
            time.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """Its process and the children of that."""
        if self._process is None:
            return []
        main = psutil.Process(self._process.pid)
        return [main, *main.children(recursive=True)]

    def kill(self) -> None:
        """SIGKILL all its processes."""
        if self._process is None:
            return
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        psutil.wait_procs(processes, timeout=STOP_SECONDS)
        self._process = None

    def terminate(self) -> None:
        """End in order."""
        if self._process is not None:
            self._process.send_signal(self._stop)
            self._process.wait(STOP_SECONDS)
            self._process = None


@contextlib.contextmanager
def folder_of(user: str | None, name: str) -> Iterator[Path]:
    """A user's own folder, removed also where this process is killed.

    Not below pytest's, which other users may not enter; sockets also need a short path.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"batchdl-{name}-"))
    with guarded(folder, remove=True):
        if user is not None:
            shutil.chown(folder, user, user)
        yield folder


@contextlib.contextmanager
def postgres() -> Iterator[tuple[Server, str]]:
    """A PostgreSQL server that runs, and the address of its empty database for SQLAlchemy.

    Raises:
        ProgramMissing: it is not installed.
    """
    initdb, binary = program("initdb"), program("postgres")
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    with folder_of(user, "postgresql") as folder:
        data, name = folder / "data", user or pwd.getpwuid(os.geteuid()).pw_name
        subprocess.run(
            [initdb, "--pgdata", data, "--auth=trust", f"--username={name}", "--encoding=UTF8", "--no-sync"],
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            capture_output=True,
            check=True,
            timeout=START_SECONDS,
        )
        # What a crash of the machine would take is no matter here, and Airflow writes all the time.
        options = {"listen_addresses": "", "unix_socket_directories": str(folder), "max_connections": "300"}
        options |= {"fsync": "off", "full_page_writes": "off", "timezone": "UTC"}
        command = [str(binary), "-D", str(data), *(f"--{key}={value}" for key, value in options.items())]
        url = f"postgresql+psycopg2://{name}@/postgres?host={folder}"
        server = Server(folder, command, ready=lambda: _answers(url), stop=signal.SIGINT, user=user)
        with contextlib.ExitStack() as stack:
            stack.callback(server.terminate)
            server.start()
            yield server, url


def _answers(url: str) -> bool:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    try:
        engine.connect().close()
    except sqlalchemy.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True


@contextlib.contextmanager
def redis() -> Iterator[tuple[Server, str]]:
    """A Redis server that runs, and its address for Celery.

    Raises:
        ProgramMissing: it is not installed.
    """
    binary = program("redis-server")
    with folder_of(None, "redis") as folder:
        socket = folder / "socket"
        # Its title would be written over the environment, by which the guard finds it.
        options = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "set-proc-title": "no"}
        # A restart is to keep the queue, as a broker in production does.
        options |= {"appendonly": "yes", "appendfsync": "no", "save": ""}
        command = [str(binary), *(word for key, value in options.items() for word in (f"--{key}", value))]
        server = Server(folder, command, ready=lambda: _pongs(socket), stop=signal.SIGTERM)
        with contextlib.ExitStack() as stack:
            stack.callback(server.terminate)
            server.start()
            yield server, f"redis+socket://{socket}"


def _pongs(socket: Path) -> bool:
    from redis import Redis
    from redis.exceptions import ConnectionError as RedisConnectionError

    with contextlib.closing(Redis(unix_socket_path=str(socket))) as client:
        try:
            return bool(client.ping())
        except RedisConnectionError:
            return False
