"""A story in a real browser, in Airflow's own UI: why did last night's job not land?

With BATCHDL_SCREENSHOTS=docs, it writes the pictures of docs/ui.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import work
from tests.support.chromium import PROGRAM, Page, browser
from tests.support.ui_server import COOKIE, SeededJob, ui_server

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed (Debian's package chromium)"),
]
FRAME = "document.querySelector('iframe').contentDocument"
WORDS = "Attribute $email_adress does not exist in this project."


def run(
    api: ExecutionApi, folder: Path, task_id: str, fails: Emulator | None = None, **arguments: Any
) -> dict[str, Any]:
    """Run a task, as a worker and a triggerer do; return its XComs, as if ``folder`` were a bucket."""
    api.run_to_end(
        lambda: BatchJobOperator(task_id=task_id, **arguments),
        before_trigger=lambda _: fails.jobs("batchcom")[-1].fail(WORDS) if fails is not None else None,
    )
    left = {key: value for (task, _, key), value in api.xcoms.items() if task == task_id}
    found: dict[str, Any] = json.loads(json.dumps(left).replace(f"{folder}/", "s3://aws_default@lake/"))
    return found


@pytest.fixture
def night(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> list[SeededJob]:
    """What a night leaves in Airflow's database: two tasks that landed, one that did not, one that still waits."""
    found = []
    for vendor, dag_id in (("proofy", "verify_addresses"), ("apartmentiq", "market_report")):
        connections.set_result(vendor, ResultSpec(bytes=300_000))
        place = f"{tmp_path}/{dag_id}/"
        xcoms = run(api, tmp_path, vendor, **work(vendor, tmp_path), destination=place, deferrable=False)
        found.append(SeededJob(xcoms=xcoms, dag_id=dag_id, hours_ago=6))
    connections.world.run_seconds = 3600
    place = f"{tmp_path}/profiles/"
    xcoms = run(api, tmp_path, "export", connections, **work("batchcom", tmp_path), destination=place, deferrable=True)
    found.append(SeededJob(xcoms=xcoms, dag_id="export_profiles", state="failed", hours_ago=4, try_number=2))
    note = {
        "vendor": "proofy",
        "conn_id": "proofy_default",
        "job_id": "8812",
        "vendor_state": "processing",
        "progress": 0.6,
    }
    found.append(SeededJob(note=note, dag_id="verify_addresses", run_id="manual__1", state="deferred", hours_ago=1))
    return found


def see(page: Page, name: str) -> None:
    if folder := os.environ.get("BATCHDL_SCREENSHOTS"):
        page.screenshot(Path(folder) / f"{name}.png")


def text(page: Page) -> str:
    return str(page.evaluate(f"{FRAME}.body.innerText"))


def test_why_last_nights_job_did_not_land(night: list[SeededJob], connections: Emulator, tmp_path: Path) -> None:
    given = {conn_id: json.dumps(each) for conn_id, each in connections.connections().items()}
    home = tmp_path / "home"
    home.mkdir()
    with (
        ui_server(home, night, given, AIRFLOW__CORE__TEST_CONNECTION="Enabled") as server,  # for the picture
        browser(tmp_path, {COOKIE: server.tokens["admin"]}, server.url) as page,
    ):
        page.theme("light")
        # The menu's entry leads to the list, inside of Airflow's own page.
        page.open(f"{server.url}/plugin/batch-jobs")
        page.wait_for(f"{FRAME}.querySelector('h1').innerText === 'Batch jobs'")
        page.wait_for(f"{FRAME}.querySelectorAll('.wide tbody tr').length === 4")
        see(page, "ui-jobs")
        # Only what failed.
        page.evaluate(f"{FRAME}.querySelector('select[name=state]').value = 'failed'")
        page.evaluate(f"{FRAME}.querySelector('.filters button').click()")
        page.wait_for(f"{FRAME}.querySelectorAll('.wide tbody tr').length === 1")
        assert WORDS in text(page)
        # Its own page says what the vendor said, and what to do.
        page.evaluate(f"{FRAME}.querySelector('.wide tbody a').click()")
        page.wait_for(f"{FRAME}.querySelector('.problem') !== null && ({FRAME}.first = true)")
        shown = text(page)
        assert "Why it did not land" in shown
        assert "JobFailedError" in shown
        assert WORDS in shown
        assert "What to do:" in shown
        page.theme("dark")
        page.wait_for(f"getComputedStyle({FRAME}.body).backgroundColor === 'rgb(17, 20, 24)'")
        see(page, "ui-job-dark")
        # The vendor says the same now. Airflow has the frame's address in its own, and did not load it again for that.
        page.wait_for("location.pathname.includes('/batchdl/job/export_profiles/')")
        page.evaluate(f"{FRAME}.querySelector('.actions button').click()")
        page.wait_for(f"{FRAME}.querySelector('.answer') !== null")
        assert "(failed)" in text(page)
        assert page.evaluate(f"{FRAME}.first") is True
        # The link leads to the task, in Airflow's window.
        page.evaluate(f"{FRAME}.querySelector('dl a[data-airflow]').click()")
        page.wait_for("location.pathname.startsWith('/dags/export_profiles/runs/')")
        page.wait_for("document.querySelector('iframe') === null")
