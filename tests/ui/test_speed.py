"""A list of 5,000 jobs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.ui_server import DATABASES, SeededJob, database, ui_server


@pytest.mark.long
@pytest.mark.parametrize("kind", DATABASES)
def test_five_thousand_jobs_take_less_than_a_second(tmp_path: Path, kind: str) -> None:
    vendors = ("batchcom", "proofy", "apartmentiq", "revenuebase")
    states = ("success", "success", "success", "failed", "deferred")
    jobs = [
        SeededJob(
            note={
                "vendor": vendors[number % 4],
                "conn_id": f"c{number % 7}",
                "job_id": str(number),
                "message": "x" * 300,
            },
            run_id=f"run-{number // 50}",
            map_index=number % 50,
            dag_id=f"dag-{number % 5}",
            state=states[number % 5],
            hours_ago=number / 100,
        )
        for number in range(5_000)
    ]
    with (
        database(kind) as variables,
        ui_server(tmp_path, jobs, {}, **variables) as server,
        server.browser() as browser,
    ):
        browser.get("/")  # imports the page
        for query in ("", "?page=100", "?vendor=proofy&state=failed", "?conn_id=c3&dag_id=dag-2&days=1"):
            took = []
            for _ in range(3):
                started = time.monotonic()
                page = browser.get(f"/{query}")
                took.append(time.monotonic() - started)
                assert page.status_code == 200
                assert page.text.count("<tr>") > 20
            assert min(took) < 1.0, (query, took)
