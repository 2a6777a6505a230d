"""One API server for the tests of the page that only read; they are in one module, as each process starts its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_provider_batchdl._values.storable import storable
from tests.support.ui_server import DATABASES, UiServer, database, ui_server
from tests.ui.seeds import JOBS, odd_jobs


@pytest.fixture(scope="session", params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiServer]:
    connection = {"conn_type": "proofy", "password": "pf_hidden_password", "host": ""}
    connections = {"proofy_default": json.dumps(connection), "proofy_unused": json.dumps(connection)}
    jobs = [*JOBS, *odd_jobs()]
    if request.param == "postgresql":
        jobs = [replace(job, note=storable(job.note), trigger=storable(job.trigger)) for job in jobs]
    home = tmp_path_factory.mktemp("home")
    with database(request.param) as variables, ui_server(home, jobs, connections, **variables) as running:
        yield running
