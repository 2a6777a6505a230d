"""What a test does with a whole Airflow: start and kill its parts, give it DAGs, ask its API and its database."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx
import psutil
import sqlalchemy

from demo.api import AirflowApi
from demo.home import Home, Settings, new_home
from demo.processes import AirflowProcesses
from tests.support.stack.noticed import noticed
from tests.support.stack.settings import IMPATIENT, PRELOADING, merged

# Generous, as everywhere where real processes start on a busy machine.
START_SECONDS = 600.0
STOP_SECONDS = 300.0
POLL_SECONDS = 0.3
# What a task's process calls itself; the one that started it and reports for it is its parent.
_TASK = re.compile(r"airflow worker -- [0-9a-f]{8}-[0-9a-f-]{27}")


class StackFailed(Exception):  # noqa: N818 (what happened, in the words of the message)
    """Airflow did not do what a test needs of it."""


class Stack:
    """A running Airflow, made for one test session in a folder. A context manager.

    Args:
        runs: folder for what it keeps; logs stay there.
        settings: airflow.cfg's options by section, before those of the tests and the demo.

    Attributes:
        home: its home.
        api: a session with its API server.
        triggerers, workers: names for :meth:`start`, :meth:`kill`, :meth:`terminate` and :meth:`processes`.
    """

    components: ClassVar[Mapping[str, Sequence[str]]]
    triggerers: ClassVar[tuple[str, ...]]
    workers: ClassVar[tuple[str, ...]]

    def __init__(self, runs: Path, settings: Settings | None = None) -> None:
        self._runs = runs
        self._settings = settings or {}
        self._open = contextlib.ExitStack()
        self._prepared: set[str] = set()
        self._supervised = False

    # What the two kinds differ in.

    def _provide(self) -> Settings:
        """Start what Airflow itself needs; its settings for that."""
        raise NotImplementedError

    def _database_url(self) -> str:
        raise NotImplementedError

    def _migrate(self) -> None:
        raise NotImplementedError

    # Life.

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _start(self) -> None:
        self._runs.mkdir(parents=True, exist_ok=True)
        self.dags = self._runs / "dags"
        self.dags.mkdir()
        folder = {"core": {"dags_folder": self.dags}}
        settings = merged(IMPATIENT, self._provide(), folder, self._settings)
        self.home: Home = self._open.enter_context(new_home(self._runs, settings))
        (self.home.airflow / "config").mkdir()
        (self.home.airflow / "config" / "airflow_local_settings.py").write_text(PRELOADING)
        self._migrate()
        self._changed = datetime.now(UTC)
        self._airflow = self._open.enter_context(AirflowProcesses(self.home, self.components))
        self.api = self._open.enter_context(contextlib.closing(AirflowApi(self.home)))
        self._engine = sqlalchemy.create_engine(self._database_url(), poolclass=sqlalchemy.NullPool)
        self._open.callback(self._engine.dispose)
        self.wait("Airflow's API server to answer", self.api.login)
        self.api.warm_up()
        self.wait_until_whole()

    def check(self) -> None:
        """Raise where a component has ended that nobody killed.

        Raises:
            ComponentDied: its message has the end of the component's log.
        """
        if self._supervised:
            for name in self._airflow.ended():
                self.start(name)
        self._airflow.check()

    @contextlib.contextmanager
    def supervised(self) -> Iterator[None]:
        """Inside it, a component that ends by itself is started again, as a service manager does; :meth:`check` looks.

        Some of Airflow's give up where the database goes away, and count on that.
        """
        self._supervised = True
        try:
            yield
        finally:
            self._supervised = False

    def start(self, name: str) -> None:
        """Start a component that was killed or terminated; does not wait until it is up."""
        self._changed = datetime.now(UTC)
        self._airflow.start(name)

    def kill(self, name: str) -> None:
        """SIGKILL a component and all its children, the tasks it runs among them."""
        self._airflow.kill(name)

    def terminate(self, name: str) -> None:
        """SIGTERM a component, as a deploy does, and wait until it has ended."""
        self._airflow.terminate(name, STOP_SECONDS)

    def processes(self, name: str) -> list[psutil.Process]:
        """The processes of a component: its own and its children's."""
        return self._airflow.of(name)

    def task_processes(self) -> list[psutil.Process]:
        """The processes that run a task right now: for each task its supervisor, then its own."""
        ours = {process.pid: process for process in self._airflow.of()}
        found = []
        for process in ours.values():
            with contextlib.suppress(psutil.Error):
                supervisor = ours.get(process.ppid())
                if supervisor is not None and _TASK.match(" ".join(process.cmdline())):
                    found += [supervisor, process]
        return found

    def mend(self) -> None:
        """Start what does not run, and wait until all is well: what a test has killed is no matter of the next one."""
        for name in self.components.keys() - self._airflow.running | self._airflow.ended().keys():
            self.start(name)
        self.wait_until_whole()

    # Work.

    def prepare(self, dags_folder: Path, connections: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Give it DAGs, unpaused, and connections; the DAGs' ids.

        May be called again with more. Give a connection that changes another id: triggerers remember connections for
        half a minute.

        Args:
            dags_folder: DAG files; each is read once, by name.
            connections: fields by connection id, as ``Emulator.connections()`` has them.
        """
        for conn_id, fields in connections.items():
            self.api.set_connection(conn_id, fields)
        files = sorted(path.name for path in dags_folder.glob("*.py"))
        for name in set(files) - self._prepared:
            shutil.copy(dags_folder / name, self.dags / name)
        self._prepared.update(files)
        self.wait(f"the DAGs of {', '.join(files)}", lambda: self._parsed(files))
        self.api.unpause_all()
        return sorted(dag_id for name in files for dag_id in self.api.dag_ids_of(name))

    def _parsed(self, files: Sequence[str]) -> bool:
        if errors := self.api.import_errors():
            raise StackFailed("\n".join(f"{file}:\n{trace}" for file, trace in errors.items()))
        return all(self.api.dag_ids_of(name) for name in files)

    def query(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """Run a statement on the metadata database, with ``:name`` for values, and commit; the rows, if any."""
        with self._engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def wait(self, what: str, true: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until something is true.

        Raises:
            StackFailed: it is not after ``seconds``.
            ComponentDied: a component ended that nobody killed.
        """
        deadline = time.monotonic() + seconds
        while not true():
            self.check()
            if time.monotonic() > deadline:
                raise StackFailed(f"waited {seconds:.0f} s for {what}; see the logs in {self.home.folder}")
            time.sleep(POLL_SECONDS)

    def wait_until_whole(self) -> None:
        """Wait until every component has reported to the database since the last one was started."""
        self.wait("scheduler, DAG processor and triggerers to report", self._is_whole)

    def wait_until_noticed(self, dag_id: str, run_id: str, task_id: str, times: int = 1) -> None:
        """Wait until all of Airflow knows that a task has deferred in its first try: its trigger may fire from then on.

        Args:
            dag_id, run_id, task_id: which task.
            times: how often the try has let go of a worker by then.
        """
        is_noticed = noticed(self.home, dag_id, run_id, [(task_id, 1)], times)
        self.wait(f"Airflow to notice that {task_id} has deferred", is_noticed)

    def have_triggerers_reported(self, since: datetime) -> bool:
        """Whether every triggerer has reported to the database since a moment."""
        reported = "SELECT count(*) FROM job WHERE job_type = 'TriggererJob' AND latest_heartbeat > :since"
        [(triggerers,)] = self.query(reported, since=since.isoformat(" "))
        return bool(triggerers >= len(self.triggerers))

    def _is_whole(self) -> bool:
        try:
            return self.have_triggerers_reported(self._changed) and not self.api.unhealthy()
        except httpx.HTTPError:  # it is on its way, or has not noticed yet that the database is
            return False
