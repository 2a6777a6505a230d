"""The retry policy, through the real task runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from airflow_provider_batchdl import exceptions
from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    DestinationError,
    RateLimitedError,
    ResultNotReadyError,
    TransferError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi, fire
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work
from tests.support.fixtures import forget_process_state

try:
    from airflow.sdk import RetryAction, RetryDecision
except ImportError:
    pytest.skip("this Airflow has no retry policies (3.3 and later have)", allow_module_level=True)

# What a vendor's long delay does to a task of ours: from Airflow 3.4 on, no retry is used for it.
RESCHEDULES = hasattr(RetryDecision, "reschedule")
GIVEN_BACK = "up_for_reschedule" if RESCHEDULES else "up_for_retry"
needs_reschedule = pytest.mark.skipif(
    not RESCHEDULES, reason="this Airflow's policies cannot reschedule (3.4 and later)"
)
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])


def decide(error: BaseException, retry_delay: float | None = None) -> RetryDecision:
    class Task:
        def __init__(self, seconds: float) -> None:
            self.retry_delay = timedelta(seconds=seconds)

    context: Any = None if retry_delay is None else {"task": Task(retry_delay)}
    return BatchDlRetryPolicy().evaluate(error, 1, 3, context)


def caused_by(error: BaseException, depth: int = 1) -> BaseException:
    for number in range(depth):
        outer = RuntimeError(f"wrapped {number}")
        outer.__cause__ = error
        error = outer
    return error


def given_back_for(api: ExecutionApi) -> float | None:
    """The delay that the last retry or reschedule was asked for with; of a reschedule, what is left of it by now."""
    bodies = [json.loads(body) for body in api.sent]
    [*_, last] = [body for body in bodies if isinstance(body, dict) and body.get("state") == GIVEN_BACK]
    if RESCHEDULES:
        return (datetime.fromisoformat(last["reschedule_date"]) - datetime.now(UTC)).total_seconds()
    delay: float | None = last.get("retry_delay_seconds")
    return delay


# The decision.


@pytest.mark.parametrize(
    "name",
    [
        "AuthenticationError",
        "PermissionDeniedError",
        "JobNotFoundError",
        "JobFailedError",
        "JobCancelledError",
        "InsufficientCreditsError",
        "QuotaExceededError",
        "InvalidRequestError",
        "UnsupportedOperationError",
        "SubmitUncertainError",
        "UnsafeRedirectError",
        "ResultTooLargeError",
    ],
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_what_no_retry_mends_fails_now(name: str, depth: int) -> None:
    error = getattr(exceptions, name)("That is that.", vendor="proofy", retry_after=600.0)
    decision = decide(caused_by(error, depth), retry_delay=300)
    assert decision.action is RetryAction.FAIL
    assert "That is that." in str(decision.reason)


@pytest.mark.parametrize(
    "error",
    [
        RateLimitedError("Slower."),
        VendorUnavailableError("Down."),
        exceptions.UnexpectedResponseError("What?"),
        TransferError("Cut.", retry_after=600.0),
        DestinationError("Full."),
        ValueError("not ours"),
        KeyboardInterrupt(),
        caused_by(AuthenticationError("too deep"), 50),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_rest_is_airflows(error: BaseException) -> None:
    assert decide(error) == RetryDecision.default()


def test_a_destination_that_stays_as_it_is_fails_now() -> None:
    assert decide(DestinationError("No such bucket.", retryable=False)).action is RetryAction.FAIL


def test_what_happened_while_another_error_was_handled_is_not_its_cause() -> None:
    error = ValueError("a mistake of one's own")
    error.__context__ = AuthenticationError("The key is wrong.")
    assert decide(error) == RetryDecision.default()


@pytest.mark.parametrize("kind", [RateLimitedError, VendorUnavailableError, ResultNotReadyError])
@pytest.mark.parametrize(
    ("asked", "retry_delay", "delay"),
    [
        (600.0, None, 600.0),
        (600.0, 300, 600.0),
        (121.0, 300, 121.0),  # sooner than the task would: the vendor knows best
        (600.0, 3600, 600.0),
        (77.0, None, 77.0),
        (77.0, 10, 77.0),
        (77.0, 300, None),  # waited out five times within the try: the task's own delay
        (0.0, 300, None),
        (1e12, 300, 86_400.0),
    ],
)
def test_the_vendors_delay(
    kind: type[BatchDlError], asked: float, retry_delay: float | None, delay: float | None
) -> None:
    for depth in (0, 2):
        decision = decide(caused_by(kind("Later.", retry_after=asked), depth), retry_delay)
        if delay is None:
            assert decision == RetryDecision.default()
        else:
            assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=delay))
            assert "Later." in str(decision.reason)


# Without using a retry, from Airflow 3.4 on.


def rescheduled(error: BaseException, task: dict[str, Any], **facts: Any) -> RetryDecision:
    """The decision for a task with these attributes, in a context with these members."""
    context: Any = {"task": SimpleNamespace(**task), "task_state_store": object(), **facts}
    return BatchDlRetryPolicy().evaluate(error, 1, 3, context)


USED_UP = [exceptions.QuotaExceededError, exceptions.InsufficientCreditsError]
COME_BACK = [*USED_UP, RateLimitedError, VendorUnavailableError, ResultNotReadyError]


@needs_reschedule
@pytest.mark.parametrize("kind", COME_BACK)
@pytest.mark.parametrize("task", [{"durable": True}, {"job_id": "41001"}], ids=["submits once", "submits nothing"])
def test_a_vendor_that_says_when_costs_no_retry(kind: type[BatchDlError], task: dict[str, Any]) -> None:
    decision = rescheduled(kind("Tomorrow.", retry_after=40_000.0), task)
    assert decision.action.value == "reschedule"
    assert decision.retry_delay == timedelta(seconds=40_000)
    assert "Tomorrow." in str(decision.reason)
    made: Any = decision
    assert (made.max_reschedules, made.reschedule_timeout) == (24, timedelta(days=1))


@needs_reschedule
@pytest.mark.parametrize(
    ("task", "facts"),
    [
        ({"durable": False}, {}),
        ({"durable": True}, {"task_state_store": None}),
        ({}, {}),  # somebody's own task, which may submit again
        ({"durable": True}, {"task_reschedule_count": 24}),
        ({"job_id": "41001", "mode": "reschedule"}, {}),
    ],
)
def test_what_might_pay_or_ask_too_often_is_retried(task: dict[str, Any], facts: dict[str, Any]) -> None:
    decision = rescheduled(RateLimitedError("Later.", retry_after=600.0), task, **facts)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=600))


@needs_reschedule
@pytest.mark.parametrize(
    ("error", "action"),
    [
        (RateLimitedError("Slower.", retry_after=77.0), RetryAction.RETRY),
        (RateLimitedError("Slower."), RetryAction.DEFAULT),
        (exceptions.SubmitUncertainError("Lost.", retry_after=300.0), RetryAction.FAIL),
        *((kind("Used up."), RetryAction.FAIL) for kind in USED_UP),
        (AuthenticationError("Wrong key.", retry_after=600.0), RetryAction.FAIL),
    ],
)
def test_what_may_have_made_a_job_or_names_no_time_does_not_wait(error: BatchDlError, action: RetryAction) -> None:
    assert rescheduled(error, {"durable": True, "retry_delay": timedelta(0)}).action is action


@pytest.mark.parametrize(("policy", "waits"), [(None, False), (BatchDlRetryPolicy(), RESCHEDULES)], ids=["", "policy"])
def test_a_quota_that_is_renewed(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    polls: Polls,
    policy: BatchDlRetryPolicy | None,
    waits: bool,
) -> None:
    """The vendor says when: from Airflow 3.4 on the task comes back then, with the retries that it had."""
    body = {"error": "Trial API quota limit exceeded", "quota_limit": 5, "quota_usage": 6}
    headers = {"Retry-After": "1800"}
    connections.add_fault(Fault("status", operation="submit", status=429, body=json.dumps(body), headers=headers))
    arguments = work("apartmentiq", tmp_path)

    def make() -> BatchJobOperator:
        return BatchJobOperator(task_id="task", retry_policy=policy, retries=1, deferrable=True, **arguments)

    outcome = api.run(make)
    assert outcome.state == ("up_for_reschedule" if waits else "failed"), outcome.error
    error: Any = outcome.error if waits else outcome.cause
    assert (type(error).__name__, error.retry_after) == ("QuotaExceededError", 1800)
    assert count(connections, "submit") == 1
    if waits:
        assert given_back_for(api) == pytest.approx(1800, abs=60)
        forget_process_state()
        assert api.run_to_end(make).state == "success"
        assert len(connections.jobs("apartmentiq")) == 1


# Through the task runner.


def test_a_long_wait_is_handed_back_to_airflow(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls
) -> None:
    connections.add_fault(Fault("status", operation="submit", status=429, retry_after=1800))
    arguments = work("proofy", tmp_path)
    outcome = api.run(
        lambda: SubmitBatchJobOperator(task_id="task", retry_policy=BatchDlRetryPolicy(), retries=1, **arguments)
    )
    assert outcome.kind == (GIVEN_BACK, "RateLimitedError")
    assert given_back_for(api) == pytest.approx(1800, abs=60)
    assert count(connections, "submit") == 1  # nothing was slept for, nor asked again


def long_wait(connections: Emulator, status: int) -> None:
    """The vendor asks for half an hour, once."""
    connections.add_fault(Fault("status", operation="status", status=status, retry_after=1800))


def waiting(folder: Path, **more: Any) -> Callable[[], BatchJobOperator]:
    """A task that waits on its worker, with the policy unless told otherwise."""
    arguments = {"retry_policy": BatchDlRetryPolicy(), "retries": 1, **work("revenuebase", folder), **more}
    return lambda: BatchJobOperator(task_id="task", deferrable=False, **arguments)


@pytest.mark.parametrize(("status", "error"), [(429, "RateLimitedError"), (503, "VendorUnavailableError")])
def test_a_long_wait_of_a_poll_gives_the_worker_back(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, status: int, error: str
) -> None:
    connections.world.run_seconds = 3600
    polls.before_next(lambda: long_wait(connections, status))
    make = waiting(tmp_path)
    assert api.run(make).kind == (GIVEN_BACK, error)
    assert given_back_for(api) == pytest.approx(1800, abs=60)
    assert max(polls.first_waits) < 120
    [job] = connections.jobs("revenuebase")
    job.finish()
    forget_process_state()  # half an hour later
    assert api.run(make, try_number=2).state == "success"
    assert (count(connections, "submit"), count(connections, "cancel")) == (1, 0)


@pytest.mark.parametrize(
    ("more", "max_tries"),
    [({"retry_policy": None}, 1), ({}, 0), ({"durable": False}, 1)],
    ids=["without the policy", "the last try", "a retry would pay again"],
)
def test_a_long_wait_is_slept_where_a_retry_would_not_come_in_time(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, more: dict[str, Any], max_tries: int
) -> None:
    if RESCHEDULES and not max_tries:
        pytest.skip("a reschedule needs no retry")
    connections.world.run_seconds = 3600
    api.max_tries = max_tries

    def finish() -> None:
        connections.jobs("revenuebase")[0].finish()

    polls.before_next(lambda: long_wait(connections, 503), finish)
    assert api.run(waiting(tmp_path, **more)).state == "success"
    assert max(polls.first_waits) == pytest.approx(1800, abs=2)
    assert count(connections, "submit") == 1


@MODES
def test_a_vendors_delay_reaches_airflow_from_a_wait_that_gave_up(
    connections: Emulator, api: ExecutionApi, polls: Polls, deferrable: bool
) -> None:
    job = connections.add_job("revenuebase", state="running")
    polls.before_next(
        lambda: connections.add_fault(Fault("status", operation="status", status=503, retry_after=900, times=100))
    )

    def make() -> BatchJobSensor:
        return BatchJobSensor(
            task_id="wait",
            conn_id="revenuebase_default",
            job_id=job.id,
            deferrable=deferrable,
            retry_policy=BatchDlRetryPolicy(),
        )

    outcome = api.run(make)
    if deferrable:
        assert api.deferral is not None
        api.resume_with(fire(api.deferral.trigger()).payload)
        outcome = api.run(make)
    assert outcome.kind == (GIVEN_BACK, "VendorUnavailableError")
    assert given_back_for(api) == pytest.approx(900, abs=60)


@MODES
def test_a_failed_job_fails_the_task_now(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    """Without the policy it is up for retry, and submitted anew by that: test_parity."""
    connections.world.run_seconds = 3600
    polls.before_next(lambda: connections.jobs("apartmentiq")[0].fail("no such property"))
    arguments = work("apartmentiq", tmp_path)
    outcome = api.run_to_end(
        lambda: BatchJobOperator(
            task_id="task", deferrable=deferrable, retry_policy=BatchDlRetryPolicy(), retries=1, **arguments
        )
    )
    assert outcome.kind == ("failed", "JobFailedError")
    # A clear is how it goes on.
    api.clear()
    connections.world.run_seconds = 0.05
    assert api.run_to_end(lambda: BatchJobOperator(task_id="task", **arguments), try_number=2).state == "success"
    assert count(connections, "submit") == 2


def wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    value = json.loads(os.environ["AIRFLOW_CONN_PROOFY_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_PROOFY_DEFAULT", json.dumps({**value, "password": "not-the-key"}))


def test_what_fails_at_once_without_it_does_so_with_it(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_key(monkeypatch)
    arguments = work("proofy", tmp_path)
    outcome = api.run(lambda: SubmitBatchJobOperator(task_id="task", retry_policy=BatchDlRetryPolicy(), **arguments))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("policy", "state"), [(None, "up_for_retry"), (BatchDlRetryPolicy(), "failed")])
def test_a_users_own_task_that_uses_a_hook(
    connections: Emulator,
    api: ExecutionApi,
    monkeypatch: pytest.MonkeyPatch,
    policy: BatchDlRetryPolicy | None,
    state: str,
    wrapped: bool,
) -> None:
    wrong_key(monkeypatch)

    def ask() -> int | None:
        try:
            return BatchApiHook.for_connection("proofy_default").get_balance()
        except BatchDlError as error:
            if wrapped:
                raise RuntimeError("could not ask") from error
            raise

    def make() -> Any:
        return PythonOperator(task_id="task", python_callable=ask, retry_policy=policy)

    outcome = api.run(make)
    assert outcome.kind == (state, "RuntimeError" if wrapped else "AuthenticationError")


@pytest.mark.parametrize("kind", ["default_args", "partial"])
def test_ways_to_give_it(kind: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    policy = BatchDlRetryPolicy()
    ways: dict[str, Callable[[], Any]] = {
        "default_args": lambda: SubmitBatchJobOperator(task_id="task", conn_id="proofy_default", request={}),
        "partial": lambda: SubmitBatchJobOperator.partial(
            task_id="task", conn_id="proofy_default", retry_policy=policy
        ).expand(request=[{}]),
    }
    defaults = {"retry_policy": policy} if kind == "default_args" else {}
    with DAG("with_policy", schedule=None, default_args=defaults) as dag:
        ways[kind]()
    assert dag.get_task("task").retry_policy is policy
    assert "has_retry_policy" in json.dumps(DagSerialization.to_dict(dag))


def test_it_is_its_own_copy() -> None:
    policy = BatchDlRetryPolicy()
    assert isinstance(BatchDlRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize()))), BatchDlRetryPolicy)
