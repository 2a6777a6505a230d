"""Rate limits that no vendor means: a whole task gets through, or is retried later, and pays once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.client import policy, throttle
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import RateLimitedError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import work

# Seconds that a try may take on a busy machine, however long the vendor wants to be left alone: an hour, and more.
MOST = 100.0
NONE_LEFT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "0"}
HOSTILE: list[dict[str, str | None]] = [
    {"Retry-After": "31536000"},
    {"Retry-After": "9" * 400},
    {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"Retry-After": "Mon, 01 Jan 0001 00:00:00 GMT", "Date": "Fri, 31 Dec 9999 23:59:59 GMT"},
    {"Retry-After": "1e999"},
    {"Retry-After": "nan"},
    {"Retry-After": "-31536000"},
    {"Retry-After": "\xff"},
    {**NONE_LEFT, "X-RateLimit-Reset": "253402300799"},
    {**NONE_LEFT, "X-RateLimit-Reset": "-1"},
    {**NONE_LEFT, "X-RateLimit-Reset-After": "1e300"},
    {**NONE_LEFT, "X-RateLimit-Reset-After": "inf"},
    {"X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "never"},
]


def ids(headers: object) -> str:
    return ascii(headers)[:60]


def outcomes(
    connections: Emulator, api: ExecutionApi, folder: Path, fault: Fault, *, deferrable: bool
) -> list[tuple[str, Any]]:
    """How each try ends, until the task has, or was tried three times; before each, the vendor has calmed down."""
    given = work("proofy", folder)
    found: list[tuple[str, Any]] = []
    connections.add_fault(fault)
    for number in (1, 2, 3):
        began = time.monotonic()
        outcome = api.run_to_end(
            lambda: BatchJobOperator(task_id="task", **given, deferrable=deferrable, retries=5, timeout=600),
            try_number=number,
        )
        assert time.monotonic() - began < MOST
        found.append((outcome.state, outcome.error))
        if outcome.state == "success":
            break
        connections.clear_faults()
        throttle._throttles.clear()  # the time that was asked for has passed
    return found


@needs_task_state_store
@pytest.mark.parametrize(
    ("status", "deferrable"), [(None, False), (429, True)], ids=["beside an answer, worker", "429, triggerer"]
)
@pytest.mark.parametrize("headers", HOSTILE, ids=ids)
def test_whatever_the_vendor_asks_for(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str | None],
    status: int | None,
    deferrable: bool,
) -> None:
    if deferrable:  # the account's loop waits as long as it is let, an hour
        for module in (throttle, policy):
            monkeypatch.setattr(module, "MAX_HOLD", 0.5)
    kind = "headers" if status is None else "status"
    fault = Fault(kind, vendor="proofy", status=status, headers=headers, times=99 if status is None else 2)  # type: ignore[arg-type]
    found = outcomes(connections, api, tmp_path, fault, deferrable=deferrable)
    assert found[-1][0] == "success", found
    assert all(state == "up_for_retry" and isinstance(error, RateLimitedError) for state, error in found[:-1]), found
    assert len(connections.jobs("proofy")) == 1
