"""An Airflow that does not answer at any call around a submit: one job at the vendor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators import job_record
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.vendors import base
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Looks
from tests.support.airflow_jobs import count, work

# More than one submit needs.
CALLS = range(1, 6)
pytestmark = needs_task_state_store


@pytest.fixture(autouse=True)
def _quickly(connections: Emulator, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    connections.world.run_seconds = 3600
    monkeypatch.setattr(base, "ADOPTION_DELAYS", (0.0,))
    monkeypatch.setattr(job_record, "STORE_PAUSES", (0.0, 0.0))


@pytest.mark.parametrize(
    "operator", [SubmitBatchJobOperator, partial(BatchJobOperator, deferrable=True)], ids=["submit", "run"]
)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_store_that_fails_at_a_call(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operator: Callable[..., Any],
    call: int,
    times: int,
) -> None:
    """Once is waited out; three times, the whole of what is waited for, fails the try or is logged."""
    answer, calls = ExecutionApi.answer, []

    def failing(self: ExecutionApi, request: Any) -> Any:
        if "/store/" in str(request.url):
            calls.append(request.method)
            if call <= len(calls) < call + times:
                raise ConnectionError("Airflow's API is down")
        return answer(self, request)

    monkeypatch.setattr(ExecutionApi, "answer", failing)
    for try_number in (1, 2, 3):
        outcome = api.run(lambda: operator(task_id="task", **work("apartmentiq", tmp_path)), try_number=try_number)
        if outcome.state in ("success", "deferred"):
            break
        assert outcome.kind == ("up_for_retry", "StateStoreError")
        assert count(connections, "submit") == 0
    else:
        pytest.fail("no try succeeded")
    [job] = connections.jobs("apartmentiq")
    assert job.id in (outcome.value, api.pushed("task", "job_id"))
    assert count(connections, "submit") == 1
