"""`airflow batchdl check`: which connections it finds, and what it says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from tests.cli.conftest import Ended
from tests.support.airflow_features import needs_provider_commands

Batchdl = Callable[..., Ended]
pytestmark = needs_provider_commands


def statuses(ended: Ended) -> dict[str, tuple[str, str]]:
    return {row["conn_id"]: (row["source"], row["status"]) for row in json.loads(ended.out)}


def add(session: Any, conn_id: str, fields: dict[str, Any]) -> None:
    from airflow.models import Connection

    extra = fields.get("extra")
    known = {**fields, "extra": json.dumps(extra) if isinstance(extra, dict) else extra}
    session.add(Connection(conn_id=conn_id, **known))
    session.commit()


def test_every_connection_of_ours_is_tested(
    batchdl: Batchdl, database: Any, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", "postgres://user:pass@127.0.0.1/db")
    monkeypatch.setenv("AIRFLOW_CONN_MALFORMED", '{"conn_type": ')
    add(database, "proofy_of_the_database", connections.connections()["proofy_default"])
    add(database, "warehouse", {"conn_type": "postgres", "host": "127.0.0.1"})
    # Airflow takes the environment's.
    add(database, "Proofy_Default", {"conn_type": "proofy", "password": "another"})

    ended = batchdl("check", "-o", "json")

    expected = dict.fromkeys(connections.connections(), ("environment", "ok"))
    assert statuses(ended) == {**expected, "proofy_of_the_database": ("metadata database", "ok")}
    assert ended.code == 0
    assert ended.err == ""


def test_one_that_fails_fails_the_command(
    batchdl: Batchdl, database: Any, connections: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {**json.loads(os.environ["AIRFLOW_CONN_PROOFY_DEFAULT"]), "password": "pf_000000000000000000"}
    monkeypatch.setenv("AIRFLOW_CONN_PROOFY_DEFAULT", json.dumps(value))

    ended = batchdl("check")

    assert ended.code == 1
    others = len(connections.connections()) - 1
    assert ended.out.count(" ok ") == others
    assert "HTTP 401" in ended.out
    assert ended.err == f"1 of {others + 1} failed: proofy_default.\n"


def test_those_that_are_named(batchdl: Batchdl, connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be of a secrets backend that lists nothing; no database is asked for them."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "postgres"}))
    named = ("proofy_default", "missing", "other")
    ended = batchdl("check", *(f"--conn-id={each}" for each in named), "-o", "json")
    assert ended.code == 1
    assert statuses(ended) == dict(zip(named, [("named", "ok"), ("named", "failed"), ("named", "failed")], strict=True))


def test_connections_of_a_local_file(
    batchdl: Batchdl, database: Any, connections: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"from_a_file": connections.connections()["revenuebase_default"]}))
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(file)}))
    assert statuses(batchdl("check", "-o", "json"))["from_a_file"] == ("local secrets file", "ok")


def test_nothing_to_test_is_no_success(batchdl: Batchdl, database: Any) -> None:
    ended = batchdl("check")
    assert ended.code == 1
    assert "there is no connection to test" in ended.err


def test_a_database_that_cannot_be_read(batchdl: Batchdl, database: Any, connections: Emulator) -> None:
    from sqlalchemy import text

    database.execute(text("ALTER TABLE connection RENAME TO hidden"))
    database.commit()
    ended = batchdl("check")
    database.execute(text("ALTER TABLE hidden RENAME TO connection"))
    database.commit()
    assert ended.code == 1
    assert "metadata database cannot be read" in ended.err
    assert ended.err.count("\n") == 1
