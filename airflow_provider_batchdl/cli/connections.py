"""List the connections to batch APIs. Vaults and most other secrets backends cannot list, only get by id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from airflow.models import Connection
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from airflow.secrets.local_filesystem import LocalFilesystemBackend, load_connections_dict
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_batchdl import vendors

_VARIABLE = "AIRFLOW_CONN_"


@dataclass(frozen=True)
class Listed:
    """Connection without its secrets."""

    conn_id: str
    conn_type: str
    source: str


def listed_connections() -> list[Listed]:
    """All connections of our types that can be listed, sorted by id."""
    ours = set(vendors.names())
    found: dict[str, Listed] = {}
    # In the order in which Airflow searches; environment variables ignore case.
    for each in (*_in_local_file(), *_in_environment(), *_in_database(ours)):
        if each.conn_type in ours:
            found.setdefault(each.conn_id.casefold(), each)
    return sorted(found.values(), key=lambda each: each.conn_id)


def _in_local_file() -> Iterator[Listed]:
    from airflow.configuration import ensure_secrets_loaded

    for backend in ensure_secrets_loaded():
        if isinstance(backend, LocalFilesystemBackend) and backend.connections_file:
            for conn_id, connection in load_connections_dict(backend.connections_file).items():
                yield Listed(conn_id, str(connection.conn_type), "local secrets file")


def _in_environment() -> Iterator[Listed]:
    for name in sorted(os.environ):
        if not name.startswith(_VARIABLE) or not os.environ[name]:
            continue
        conn_id = name.removeprefix(_VARIABLE).lower()
        try:
            conn_type = BaseHook.get_connection(conn_id).conn_type
        except AirflowException:
            continue  # one that Airflow cannot read may be of any type
        yield Listed(conn_id, str(conn_type), "environment")


def _in_database(types: set[str]) -> Iterator[Listed]:
    try:
        with create_session() as session:
            wanted = select(Connection.conn_id, Connection.conn_type).where(Connection.conn_type.in_(types))
            rows = session.execute(wanted).all()
    except SQLAlchemyError as error:
        # The error's own text may hold the database's credentials.
        raise AirflowException(
            f"Airflow's metadata database cannot be read ({type(error).__name__}). Name a connection with --conn-id, "
            "or run `airflow db check`."
        ) from error
    yield from (Listed(str(conn_id), str(conn_type), "metadata database") for conn_id, conn_type in rows)
