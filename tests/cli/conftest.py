"""`airflow batchdl …` within the test's process, and a metadata database to list connections from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.support.leaks import find_secrets


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


@cache
def parser() -> Any:
    from airflow.cli.cli_parser import get_parser

    return get_parser()


@pytest.fixture
def batchdl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run a command; whatever it prints must show no secret."""
    # Each command sets it for its process, which here is not its own.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")

    def run(*arguments: str) -> Ended:
        code = 0
        try:
            args = parser().parse_args(["batchdl", *arguments])
            args.func(args)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        printed = capsys.readouterr()
        assert not find_secrets(printed.out + printed.err)
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def database() -> Iterator[Any]:
    """A metadata database with connections at least, and a session to add some; it is left as it was."""
    from airflow.models import Connection
    from airflow.settings import engine
    from airflow.utils.session import create_session
    from sqlalchemy import delete, inspect

    table: Any = Connection.__table__
    tables = [table, *(key.column.table for key in table.foreign_keys)]
    made = [each for each in tables if not inspect(engine).has_table(each.name)]
    table.metadata.create_all(engine, tables=made)
    with create_session() as session:
        yield session
    with create_session() as session:
        session.execute(delete(Connection))
    table.metadata.drop_all(engine, tables=made)
