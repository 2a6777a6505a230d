"""Databases in a PostgreSQL server of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
import sqlalchemy
from sqlalchemy.engine import Connection

from tests.support.stack.servers import Server, postgres


@dataclass(frozen=True)
class Databases:
    """The databases of a running server."""

    server: Server
    address: sqlalchemy.URL

    def url(self, name: str) -> str:
        """A database's address, as Airflow takes it."""
        return self.address.set(database=name).render_as_string(hide_password=False)

    def create(self, name: str, *, template: str = "template1") -> None:
        """Create a database, the copy of another that nobody is connected to."""
        with self.connect("postgres") as connection:
            connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))

    @contextmanager
    def connect(self, name: str) -> Iterator[Connection]:
        """A connection whose statements each count at once."""
        engine = sqlalchemy.create_engine(self.url(name), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def cpu_seconds(self) -> float:
        """CPU time of all the server's processes so far, those that have ended included."""
        spent = 0.0
        for number, process in enumerate(self.server.processes()):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
                if number == 0:
                    spent += times.children_user + times.children_system
        return spent


@contextmanager
def databases() -> Iterator[Databases]:
    """Start a server.

    Raises:
        ProgramMissing: PostgreSQL is not installed.
    """
    with postgres() as (server, url):
        yield Databases(server, sqlalchemy.make_url(url))
