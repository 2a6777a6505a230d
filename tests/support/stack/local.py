"""Airflow as one starts with it: SQLite, and tasks as children of the scheduler."""

from __future__ import annotations

from demo.home import ROOT, Settings, provide_database
from demo.processes import COMPONENTS
from tests.support.stack.base import Stack

# The demo's: a migrated empty database, which takes ten seconds to make, is the same for all.
DATABASES = ROOT / ".demo" / "cache"


class LocalStack(Stack):
    """LocalExecutor on SQLite. Tasks belong to the scheduler: with it, :meth:`kill` takes them down, too."""

    components = COMPONENTS
    triggerers = ("triggerer",)
    workers = ()

    def _provide(self) -> Settings:
        return {}

    def _migrate(self) -> None:
        provide_database(self.home, DATABASES)

    def _database_url(self) -> str:
        # Airflow's processes write all the time: five seconds, as by default, may pass before it is a test's turn.
        return f"sqlite:///{self.home.airflow}/airflow.db?timeout=60"
