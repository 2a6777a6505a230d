"""What may happen to a job while a task waits for it, and how the task ends then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from tests.operators.parity import FAILED_FOR_GOOD, RETRIED, SKIPPED, SUCCESS, Kind

Happens = Callable[[EmulatedJob, Emulator], None]


def finish(job: EmulatedJob, _: Emulator) -> None:
    job.finish()


def fail(job: EmulatedJob, _: Emulator) -> None:
    job.fail("the file is unreadable")


def cancel(job: EmulatedJob, _: Emulator) -> None:
    job.cancel()


def go_on(_job: EmulatedJob, _: Emulator) -> None:
    """Nothing happens."""


def answer(status: int, body: str | None = None, times: int = 1000, **more: Any) -> Happens:
    def order(_: EmulatedJob, emulator: Emulator) -> None:
        emulator.add_fault(
            Fault(
                "status",
                operation="status",
                status=status,
                body=body,
                content_type="application/json",
                times=times,
                **more,
            )
        )

    return order


def down_for(polls: int, status: int = 503, **more: Any) -> Happens:
    """Each poll asks five times before it fails."""

    def order(job: EmulatedJob, emulator: Emulator) -> None:
        answer(status, times=5 * polls, **more)(job, emulator)
        job.finish()

    return order


def without_result(status: int) -> Happens:
    """The job ends well, and its result cannot be had."""

    def order(job: EmulatedJob, emulator: Emulator) -> None:
        emulator.add_fault(Fault("status", operation="download", status=status, times=1000))
        job.finish()

    return order


@dataclass(frozen=True)
class Case:
    """What happens to a job after the first poll, and how its task ends then."""

    happens: Happens
    ends: Kind
    says: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    operator: Kind | None = None
    operator_says: str | None = None


CASES = {
    "success": Case(finish, SUCCESS),
    # The one thing of these that a retry mends, and only for the task that submits anew.
    "failed": Case(fail, FAILED_FOR_GOOD, "the file is unreadable", operator=("up_for_retry", "JobFailedError")),
    "cancelled": Case(cancel, FAILED_FOR_GOOD, "was cancelled"),
    "partial": Case(cancel, SUCCESS, more={"accept_partial": True}),
    "gone": Case(answer(400, '{"detail": "Invalid process_id"}'), FAILED_FOR_GOOD, "Invalid process_id"),
    "unauthorised": Case(answer(401), FAILED_FOR_GOOD, "HTTP 401"),
    "forbidden": Case(answer(403), FAILED_FOR_GOOD, "HTTP 403"),
    "down for four polls": Case(down_for(4), SUCCESS),
    "down for five polls": Case(down_for(5), RETRIED, "HTTP 503"),
    "nonsense for five polls": Case(
        answer(200, "<html>Sign in</html>"),
        ("up_for_retry", "UnexpectedResponseError"),
        "JSON",
    ),
    # With a wait of none: what the vendor asks for is slept out by both, and nobody stands in for that time.
    "turned away for four polls": Case(down_for(4, status=429, retry_after=0), SUCCESS),
    "turned away for ever": Case(
        answer(429, retry_after=0),
        ("up_for_retry", "RateLimitedError"),
        "HTTP 429",
    ),
    # To a sensor these are successes: it does not check the results.
    "result gone": Case(without_result(404), SUCCESS, operator=FAILED_FOR_GOOD, operator_says="HTTP 404"),
    "result kept back": Case(without_result(403), SUCCESS, operator=FAILED_FOR_GOOD, operator_says="HTTP 403"),
    "download down": Case(without_result(503), SUCCESS, operator=RETRIED, operator_says="HTTP 503"),
}
CASE = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
# Of a sensor alone: `soft_fail` is for what no retry mends.
LENIENT: dict[tuple[str, str], Kind] = {
    ("success", "soft_fail"): SUCCESS,
    ("failed", "soft_fail"): SKIPPED,
    ("failed", "never_fail"): SKIPPED,
    ("down for five polls", "soft_fail"): RETRIED,
    ("down for five polls", "never_fail"): SKIPPED,
}
