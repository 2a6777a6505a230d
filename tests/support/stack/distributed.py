"""Airflow as one grows into: PostgreSQL, Celery over Redis, two workers and two triggerers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import psutil

from demo.home import Settings, migrate
from demo.processes import COMPONENTS
from tests.support.stack.base import Stack
from tests.support.stack.servers import Server, postgres, redis

TASKS_AT_ONCE = 8


def _worker(name: str) -> tuple[str, ...]:
    options = ("--skip-serve-logs", "--without-gossip", "--without-mingle")
    return ("celery", "worker", f"--celery-hostname={name}", f"--concurrency={TASKS_AT_ONCE}", *options)


class DistributedStack(Stack):
    """CeleryExecutor on PostgreSQL and Redis. Beside Airflow's components, it has ``database`` and ``broker``."""

    triggerers = ("triggerer-1", "triggerer-2")
    workers = ("worker-1", "worker-2")
    components = MappingProxyType(
        {
            **{name: COMPONENTS[name] for name in ("api-server", "dag-processor", "scheduler")},
            **dict.fromkeys(triggerers, COMPONENTS["triggerer"]),
            **{name: _worker(name) for name in workers},
        }
    )

    def _provide(self) -> Settings:
        database, self._url = self._open.enter_context(postgres())
        broker, broker_url = self._open.enter_context(redis())
        self._servers: Mapping[str, Server] = {"database": database, "broker": broker}
        return {
            "core": {"executor": "CeleryExecutor"},
            "database": {"sql_alchemy_conn": self._url},
            "celery": {"broker_url": broker_url, "result_backend": f"db+{self._url}"},
        }

    def _migrate(self) -> None:
        migrate(self.home)

    def _database_url(self) -> str:
        return self._url

    def start(self, name: str) -> None:
        """Start a component or server that was killed or terminated."""
        if name in self._servers:
            self._servers[name].start()
        else:
            super().start(name)

    def kill(self, name: str) -> None:
        """SIGKILL a component or server with all its children."""
        if name in self._servers:
            self._servers[name].kill()
        else:
            super().kill(name)

    def terminate(self, name: str) -> None:
        """SIGTERM a component and wait until it has ended. Servers drop their clients at once, as for a restart."""
        if name in self._servers:
            self._servers[name].terminate()
        else:
            super().terminate(name)

    def processes(self, name: str) -> list[psutil.Process]:
        """The processes of a component or server: its own and its children's."""
        return self._servers[name].processes() if name in self._servers else super().processes(name)

    def mend(self) -> None:
        """Start what does not run, and wait until all is well."""
        for server in self._servers.values():
            if not server.processes():
                server.start()
        super().mend()
