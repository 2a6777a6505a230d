"""SIGTERM at any moment of a task's life: the job is cancelled if a user ended the task, and kept for its next try."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import cancel as cancelling
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi, without_store
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

KILL_SECONDS = cancelling.KILL_SECONDS
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def run(**arguments: Any) -> BatchJobOperator:
    return BatchJobOperator(task_id="run", **arguments)


def finish(emulator: Emulator, vendor: str) -> None:
    emulator.jobs(vendor)[0].finish()


def end(api: ExecutionApi, state: str | None) -> None:
    """What Airflow's supervisor does to a process whose task is in another state by now."""
    api.states[("run", -1)] = state
    os.kill(os.getpid(), signal.SIGTERM)


def end_and_wait(api: ExecutionApi, state: str | None) -> None:
    end(api, state)
    time.sleep(5)  # which the signal interrupts


Calls = list[tuple[str, str]]


def at_the_call(
    api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, wanted: Callable[[Any], bool], act: Callable[[], None]
) -> Calls:
    """Act in the middle of the first request to Airflow that is ``wanted``; returns those that got their answer."""
    real, answered = api.answer, []
    acted = False

    def answer(request: Any) -> Any:
        nonlocal acted
        if not acted and wanted(request):
            acted = True
            act()
        response = real(request)
        answered.append((request.method, request.url.path))
        return response

    monkeypatch.setattr(api, "answer", answer)
    return answered


def stores_the_id(request: Any) -> bool:
    is_record = request.method == "PUT" and "/store/" in request.url.path
    return is_record and json.loads(request.content)["value"]["job_id"] is not None


# A worker that missed its heartbeats.


@needs_task_state_store
@pytest.mark.parametrize(
    "state", ["running", "up_for_retry", "up_for_reschedule", "scheduled", "queued", "deferred"]
)  # fmt: skip
def test_a_try_that_airflow_gave_up_leaves_its_job_to_the_next(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, state: str
) -> None:
    """Cut off from Airflow for five minutes, it is told to end when the next try is on its way."""
    connections.world.run_seconds = 3600
    polls.before_next(partial(end_and_wait, api, state))
    arguments = {**work("revenuebase", tmp_path), "deferrable": False}
    outcome = api.run(lambda: run(**arguments))
    assert isinstance(outcome.error, RuntimeError)
    assert "a retry reconnects to it" in str(outcome.error)
    [job] = connections.jobs("revenuebase")
    assert not job.cancelled
    polls.before_next(job.finish)
    assert api.run(lambda: run(**arguments), try_number=2).state == "success"
    assert count(connections, "submit") == 1
    assert count(connections, "cancel") == 0


@needs_task_state_store
@pytest.mark.parametrize(
    ("clears", "word"), [(1, "CANCELLED"), (1, "CANCELLING"), (0, "CANCELLED")], ids=["", "not yet", "at the vendor"]
)
def test_a_clear_that_the_executor_reports_as_a_failure_means_a_new_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, clears: int, word: str
) -> None:
    """Airflow then retries the task and leaves ``max_tries`` alone; only the run's number of clears tells.

    Where nobody has cleared anything, the job was cancelled at the vendor, on purpose: that is not undone.
    """
    connections.world.run_seconds = 3600
    api.run_facts["clear_number"] = 2
    polls.before_next(partial(end_and_wait, api, "restarting"))
    arguments = {**work("revenuebase", tmp_path), "deferrable": False}
    api.run(lambda: run(**arguments))
    [job] = connections.jobs("revenuebase")
    assert job.cancelled
    job.hold(word)
    api.run_facts["clear_number"] += clears
    connections.world.run_seconds = 0.5
    assert api.run(lambda: run(**arguments), try_number=2).state == ("success" if clears else "failed")
    assert count(connections, "submit") == 1 + clears
    assert count(connections, "cancel") == 1


@pytest.mark.parametrize("how", [{"pre_execute": without_store}, {"durable": False}], ids=["older Airflow", "off"])
def test_a_job_that_its_next_try_would_not_find_is_cancelled(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, how: dict[str, Any]
) -> None:
    connections.world.run_seconds = 3600
    polls.before_next(partial(end_and_wait, api, "up_for_retry"))
    api.run(lambda: run(**work("proofy", tmp_path), deferrable=False, **how))
    assert connections.jobs("proofy")[0].cancelled


# A user.


@pytest.mark.parametrize("state", ["failed", "success", "restarting", None])
def test_a_user_who_ends_the_task_cancels_the_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, state: str | None
) -> None:
    connections.world.run_seconds = 3600
    polls.before_next(partial(end_and_wait, api, state))
    outcome = api.run(lambda: run(**work("revenuebase", tmp_path), deferrable=False))
    assert isinstance(outcome.error, RuntimeError)
    assert connections.jobs("revenuebase")[0].cancelled
    assert count(connections, "cancel") == 1


def test_a_job_that_has_ended_since_the_last_poll_is_not_cancelled(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    """Proofy's cancel is a DELETE: it would take the finished job's result away."""
    connections.world.run_seconds = 3600

    def finish_and_end() -> None:
        finish(connections, "proofy")
        end_and_wait(api, "failed")

    polls.before_next(finish_and_end)
    outcome = api.run(lambda: run(**work("proofy", tmp_path), deferrable=False))
    assert isinstance(outcome.error, RuntimeError)
    assert count(connections, "cancel") == 0


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "stall"}], ids=["refused", "silent"])
def test_a_job_whose_state_cannot_be_asked_is_cancelled(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, fault: dict[str, Any]
) -> None:
    connections.world.run_seconds = 3600

    def spoil_and_end() -> None:
        connections.add_fault(Fault(operation="status", times=100, **fault))
        end_and_wait(api, "failed")

    polls.before_next(spoil_and_end)
    api.run(lambda: run(**work("proofy", tmp_path), deferrable=False))
    assert connections.jobs("proofy")[0].cancelled


def test_a_kill_cancels_nothing_where_that_is_not_wanted_or_not_possible(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    connections.world.run_seconds = 3600
    ends = partial(end_and_wait, api, "failed")
    polls.before_next(ends, ends)
    api.run(lambda: run(**work("proofy", tmp_path), deferrable=False, cancel_on_kill=False))
    assert not connections.jobs("proofy")[0].cancelled
    api.store.clear()
    outcome = api.run(lambda: run(**work("batchcom", tmp_path), deferrable=False))
    assert isinstance(outcome.error, RuntimeError)


def test_a_vendor_that_does_not_answer_does_not_hold_up_a_kill(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "KILL_SECONDS", KILL_SECONDS)  # as it is, again
    connections.world.run_seconds = 3600
    connections.add_fault(Fault("reset", operation="cancel", times=100))
    polls.before_next(partial(end_and_wait, api, "failed"))
    outcome = api.run(lambda: run(**work("proofy", tmp_path), deferrable=False))
    assert isinstance(outcome.error, RuntimeError)
    assert count(connections, "cancel") < 10
    assert not connections.jobs("proofy")[0].cancelled


@pytest.mark.parametrize("status", [404, 503])
def test_a_cancel_that_fails_once_does_not_leave_the_job_running(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, status: int
) -> None:
    connections.world.run_seconds = 3600
    connections.add_fault(Fault("status", operation="cancel", status=status))
    polls.before_next(partial(end_and_wait, api, "failed"))
    api.run(lambda: run(**work("apartmentiq", tmp_path), deferrable=False))
    assert connections.jobs("apartmentiq")[0].cancelled
    assert count(connections, "cancel") == 2


def test_a_kill_outside_of_the_wait_is_left_to_airflow() -> None:
    run(conn_id="proofy_default").on_kill()


# Before the wait.


@needs_task_state_store
@MODES
def test_a_user_who_ends_a_task_that_submits_cancels_the_job(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    deferrable: bool,
) -> None:
    connections.world.run_seconds = 3600
    at_the_call(api, monkeypatch, stores_the_id, partial(end, api, "failed"))
    outcome = api.run(lambda: run(**work("apartmentiq", tmp_path), deferrable=deferrable, timeout=30))
    assert isinstance(outcome.error, RuntimeError), outcome
    assert outcome.state != "deferred"
    assert connections.jobs("apartmentiq")[0].cancelled
    assert polls.first_waits == []


@needs_task_state_store
@MODES
def test_a_worker_that_goes_away_while_it_submits_leaves_the_job_to_the_retry(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    deferrable: bool,
) -> None:
    connections.world.run_seconds = 3600
    at_the_call(api, monkeypatch, stores_the_id, partial(end, api, "running"))
    arguments = {**work("apartmentiq", tmp_path), "timeout": 30}
    assert isinstance(api.run(lambda: run(**arguments, deferrable=deferrable)).error, RuntimeError)
    [job] = connections.jobs("apartmentiq")
    assert not job.cancelled
    job.finish()
    assert api.run(lambda: run(**arguments, deferrable=False), try_number=2).state == "success"
    assert count(connections, "submit") == 1


@needs_task_state_store
def test_a_job_that_has_ended_is_landed_all_the_same(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.world.queue_seconds = connections.world.run_seconds = 0.0
    connections.add_fault(Fault("reset", operation="cancel"))
    arguments = {**work("apartmentiq", tmp_path), "deferrable": False}
    polled = api.run(lambda: run(**arguments, timeout=30))
    assert polled.state == "success"
    at_the_call(api, monkeypatch, lambda request: "/store/" in request.url.path, partial(end, api, "failed"))
    assert api.run(lambda: run(**arguments, timeout=30), try_number=2).value == polled.value
    assert count(connections, "cancel") == 0


# Within a request to Airflow.


def test_a_kill_does_not_cut_off_a_request_to_airflow(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor would answer it all the same, and the next request would get that answer."""
    connections.world.run_seconds = 3600

    def notes_a_poll(request: Any) -> bool:
        return polls.first_waits != [] and request.url.path.endswith("/batchdl_job") and request.method == "POST"

    answered = at_the_call(api, monkeypatch, notes_a_poll, partial(end, api, "failed"))
    before: list[int] = []
    polls.before_next(lambda: before.append(len(answered)))
    outcome = api.run(lambda: run(**work("revenuebase", tmp_path), deferrable=False, timeout=30))
    assert isinstance(outcome.error, RuntimeError)
    [method, path] = answered[before[0]]
    assert method == "POST"
    assert path.endswith("/batchdl_job")
    assert connections.jobs("revenuebase")[0].cancelled


# The clock.


@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["forward", "back"])
def test_a_clock_that_is_set_moves_no_deadline(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    jump: float,
) -> None:
    connections.world.run_seconds = 1_000_000  # its clock jumps as well
    real = time.time
    polls.before_next(
        lambda: monkeypatch.setattr(time, "time", lambda: real() + jump),
        lambda: None,
        partial(finish, connections, "revenuebase"),
    )
    outcome = api.run(lambda: run(**work("revenuebase", tmp_path), deferrable=False, timeout=600))
    assert outcome.state == "success", outcome.error
    assert count(connections, "cancel") == 0


# At any request to Airflow.

# The link, the note of the job, the record's reading, and then the intent.
AT_SUBMIT = 4
# More than one process of a task makes.
CALLS = pytest.mark.parametrize("call", range(1, 13))


def at_call(api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Act in the middle of the task's n-th request about XComs or its record."""
    numbers = itertools.count(1)

    def wanted(request: Any) -> bool:
        is_tasks = "/store/" in request.url.path or (request.method == "POST" and "/xcoms/" in request.url.path)
        return is_tasks and next(numbers) == number

    at_the_call(api, monkeypatch, wanted, act)


@needs_task_state_store
@MODES
@CALLS
def test_a_user_ends_a_task_at_any_request_to_airflow(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
    deferrable: bool,
) -> None:
    """Nothing is submitted any more, or the job is cancelled, unless its trigger has it, which cancels it."""
    connections.world.run_seconds = 3600
    at_call(api, monkeypatch, call, partial(end, api, "failed"))
    polls.before_next(lambda: None, lambda: None, partial(finish, connections, "apartmentiq"))
    outcome = api.run(lambda: run(**work("apartmentiq", tmp_path), deferrable=deferrable, timeout=30))
    jobs = connections.jobs("apartmentiq")
    assert all(job.cancelled for job in jobs) or outcome.state in ("deferred", "success")
    assert count(connections, "submit") == len(jobs) == (0 if call < AT_SUBMIT else 1)


def ring() -> None:
    """Let ``execution_timeout`` come now, where Airflow has set an alarm for it."""
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        time.sleep(5)


@needs_task_state_store
@CALLS
def test_time_is_up_at_any_request_to_airflow(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
) -> None:
    """No job runs on beside the one whose result lands."""
    at_call(api, monkeypatch, call, ring)
    arguments = {**work("apartmentiq", tmp_path), "deferrable": False, "execution_timeout": timedelta(hours=1)}
    outcomes = []
    for number in range(1, 5):
        outcomes.append(api.run(lambda: run(**arguments), try_number=number))
        if outcomes[-1].state == "success":
            break
        assert outcomes[-1].kind == ("up_for_retry", "AirflowTaskTimeout")
    assert outcomes[-1].state == "success"
    *others, last = connections.jobs("apartmentiq")
    assert all(job.cancelled for job in others)
    assert api.pushed("run", "job_id") == last.id
