"""An Airflow that does not answer at any call of a task that submits: one job at the vendor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import job_record
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import SubmitUncertainError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.vendors import submitting
from tests.support.airflow_api import ExecutionApi, without_store
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

# More of each than one process of a task needs.
CALLS = range(1, 11)
# The link, the note of the job, the record's reading, the intent, the job's id.
ID_STORED = 5
STORE, XCOMS = "/store/", "/xcoms/"


@pytest.fixture(autouse=True)
def _quickly(connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0,))
    monkeypatch.setattr(job_record, "STORE_PAUSES", (0.0, 0.0))


@dataclass
class Outage:
    """Airflow's API fails at some of its calls.

    Args:
        paths: parts of the addresses that count.
        first: the number of the first call that fails, from 1.
        times: how many fail.
        answered: they are carried out, and only the answer is lost.
    """

    paths: tuple[str, ...]
    first: int
    times: int
    answered: bool = False
    calls: list[str] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Outage:
        real = ExecutionApi.answer

        def failing(api: ExecutionApi, request: Any) -> Any:
            if not any(path in str(request.url) for path in self.paths):
                return real(api, request)
            self.calls.append(f"{request.method} {request.url.path}")
            if not self.first <= len(self.calls) < self.first + self.times:
                return real(api, request)
            if self.answered:
                real(api, request)
            raise ConnectionError("Airflow's API is down")

        monkeypatch.setattr(ExecutionApi, "answer", failing)
        return self


Make = Callable[..., Any]
OPERATORS: dict[str, Make] = {
    "submit": SubmitBatchJobOperator,
    "run": partial(BatchJobOperator, deferrable=False),
    "defer": partial(BatchJobOperator, deferrable=True),
}
operators = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
WITH_VENDORS = pytest.mark.parametrize(
    ("operator", "vendor"),
    [*zip(OPERATORS.values(), ("apartmentiq", "proofy", "apartmentiq"), strict=True)],
    ids=["submit", "run", "defer"],
)


def tries_until_success(api: ExecutionApi, run: Callable[[], Any]) -> list[Any]:
    """The outcomes of a task's tries, the last of which succeeds."""
    outcomes = []
    for try_number in range(1, 5):
        outcomes.append(api.run_to_end(run, try_number=try_number))
        if outcomes[-1].state == "success":
            return outcomes
        assert outcomes[-1].state == "up_for_retry"
    raise AssertionError(outcomes)


def has_one_job(emulator: Emulator, vendor: str, api: ExecutionApi) -> None:
    """One job was paid for, and it is what the tasks after this one read."""
    assert count(emulator, "submit") == 1
    [job] = emulator.jobs(vendor)
    result = api.pushed("task", "return_value")
    assert (result["job_id"] if isinstance(result, dict) else result) == job.id
    assert api.pushed("task", "job_id") == (job.id if isinstance(result, dict) else None)


@needs_task_state_store
@operators
@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_fails_at_a_call(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operator: Make,
    call: int,
) -> None:
    """Three times, the whole of what is waited for: it fails the try, or is logged where the job is paid for."""
    Outage((STORE,), call, 3).install(monkeypatch)
    run = partial(operator, task_id="task", **with_destination(operator, "apartmentiq", tmp_path))
    for outcome in tries_until_success(api, run)[:-1]:
        assert outcome.kind == ("up_for_retry", "StateStoreError")
    has_one_job(connections, "apartmentiq", api)


@needs_task_state_store
@WITH_VENDORS
@pytest.mark.parametrize("call", CALLS)
def test_an_api_that_fails_once(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operator: Make,
    vendor: str,
    call: int,
) -> None:
    """XComs and the state store, the job's id among them; Proofy has no list to find a job in."""
    Outage((STORE, XCOMS), call, 1, answered=vendor == "proofy").install(monkeypatch)
    tries_until_success(api, partial(operator, task_id="task", **with_destination(operator, vendor, tmp_path)))
    has_one_job(connections, vendor, api)


@needs_task_state_store
@WITH_VENDORS
@pytest.mark.parametrize("call", CALLS)
def test_an_api_that_is_down_from_a_call_on(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operator: Make,
    vendor: str,
    call: int,
) -> None:
    """For the rest of the try. Where not even the job's id could be stored, Proofy has no list to find it in."""
    run = partial(operator, task_id="task", **with_destination(operator, vendor, tmp_path))
    with monkeypatch.context() as patch:
        outage = Outage((STORE, XCOMS), call, 10_000).install(patch)
        outcome = api.run(run)
    if outcome.state == "deferred":
        outcome = api.run_to_end(run)
    if outcome.state != "success" and vendor == "proofy" and len(outage.calls) > call == ID_STORED:
        outcome = api.run(run, try_number=2)
        assert outcome.error is not None
        assert (outcome.state, type(outcome.cause)) == ("failed", SubmitUncertainError)
        assert count(connections, "submit") == 1
        return
    if outcome.state != "success":
        tries_until_success(api, run)
    has_one_job(connections, vendor, api)


@needs_task_state_store
def test_the_id_of_a_paid_job_is_stored_once_airflow_is_back(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polls: Polls
) -> None:
    """While the task waits in its worker."""
    connections.world.run_seconds = 3600
    down = Outage((STORE, XCOMS), ID_STORED, 10_000)

    def back() -> None:
        assert api.store["task", -1, job_record.STATE_KEY]["job_id"] is None
        down.times = 0

    def finish() -> None:
        [job] = connections.jobs("proofy")
        assert api.store["task", -1, job_record.STATE_KEY]["job_id"] == job.id
        job.finish()

    polls.before_next(back, lambda: None, finish)
    down.install(monkeypatch)
    operator = OPERATORS["run"]
    run = partial(operator, task_id="task", **with_destination(operator, "proofy", tmp_path))
    assert api.run(run).state == "success"
    has_one_job(connections, "proofy", api)


@pytest.mark.parametrize(("vendor", "deferrable"), [("proofy", True), ("apartmentiq", False)])
@pytest.mark.parametrize("call", range(1, 6))
def test_xcoms_that_fail_where_the_record_is_beside_the_destination(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
    call: int,
    *,
    deferrable: bool,
) -> None:
    """Before Airflow 3.3."""
    Outage((XCOMS,), call, 1).install(monkeypatch)
    operator = partial(BatchJobOperator, deferrable=deferrable, pre_execute=without_store)
    tries_until_success(api, partial(operator, task_id="task", **with_destination(operator, vendor, tmp_path)))
    has_one_job(connections, vendor, api)


def with_destination(operator: Make, vendor: str, folder: Path) -> dict[str, Any]:
    """The arguments of a task that submits a small job and, where it downloads, lands it in ``out/``."""
    lands = operator is not SubmitBatchJobOperator
    return {**work(vendor, folder), **({"destination": f"{folder}/out/"} if lands else {})}
