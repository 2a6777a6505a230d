"""A submit whose answer cannot be read: the vendor may have taken it, so it is looked up and never sent again."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.vendors import submitting
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import STORED, VENDORS, count, work

LATIN = "caf\xe9"
UNREADABLE = {
    "location": Fault(
        "status", operation="submit", processed=True, status=303, body="", headers={"Location": f"http://[{LATIN}"}
    ),
    "packed twice": Fault("coding", operation="submit", headers={"Content-Encoding": "gzip, gzip"}),
    "no gzip": Fault(
        "status", operation="submit", processed=True, status=202, body="{}", headers={"Content-Encoding": "gzip"}
    ),
    "deep": Fault(
        "status", operation="submit", processed=True, status=202, body="[" * 200_000, content_type="application/json"
    ),
}


@pytest.fixture(autouse=True)
def _quickly(connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0,))


@pytest.mark.parametrize("odd", UNREADABLE)
@pytest.mark.parametrize("vendor", VENDORS)
@needs_task_state_store
def test_the_intent_stays_and_no_second_job_is_made(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, odd: str
) -> None:
    connections.add_fault(UNREADABLE[odd])
    connections.add_fault(Fault("status", operation="list", status=500, times=50))
    first = api.run(lambda: SubmitBatchJobOperator(task_id="task", **work(vendor, tmp_path)))
    assert first.error is not None
    assert "may or may not have been accepted" in str(first.error) or "got no response" in str(first.error)
    assert api.store[STORED]["job_id"] is None
    connections.clear_faults()
    api.run(lambda: SubmitBatchJobOperator(task_id="task", **work(vendor, tmp_path)), try_number=2)
    assert count(connections, "submit") == len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", VENDORS)
@needs_task_state_store
def test_a_header_that_is_not_ascii_costs_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str
) -> None:
    connections.add_fault(Fault("headers", operation="submit", headers={"X-Note": LATIN, "Retry-After": LATIN}))
    outcome = api.run(lambda: SubmitBatchJobOperator(task_id="task", **work(vendor, tmp_path)))
    assert outcome.error is None
    [job] = connections.jobs(vendor)
    assert str(api.store[STORED]["job_id"]).endswith(job.id)
