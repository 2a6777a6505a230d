"""Jobs in whose words is what neither Airflow's triggerer nor PostgreSQL takes: they end, and nobody else does."""

from __future__ import annotations

import pytest

from tests.support.airflow_features import needs_task_state_store
from tests.support.matrix.fixtures import Trigger
from tests.support.matrix.marked import VENDORS
from tests.support.stack.base import Stack
from tests.support.stack.cases import distributed_only

pytestmark = [pytest.mark.timeout(1800), needs_task_state_store]

WORDS = {
    "revenuebase": "Too many \ud83d",
    "proofy": "a\x00b",
    "batchcom": "\ude00\ud83d " + "x" * 1_000_000,
    "apartmentiq": "half \udfff\x00",
}


@distributed_only
def test_sick_jobs_fail_alone(stack: Stack, trigger: Trigger) -> None:
    healthy, sick = trigger("healthy_jobs"), trigger("sick_jobs")
    for run in (healthy, sick):
        run.until_waiting(*VENDORS, "watched")
    before = {name: {process.pid for process in stack.processes(name)} for name in stack.triggerers}

    seen = sick.job("watched")
    seen.message = "Ready \ud83d\x00"
    seen.finish()
    for vendor, words in WORDS.items():
        sick.job(vendor).fail(words)
    sick.until_state("failed", *VENDORS)
    sick.until_state("success", "watched")
    assert sick.tries() == dict.fromkeys([*VENDORS, "watched", "watched_submit"], 1)
    for vendor in VENDORS:
        assert "JobFailedError" in sick.log(vendor, 1)
    assert sick.xcom("watched")["message"] == "Ready \ufffd\ufffd"

    assert set(healthy.states().values()) == {"deferred", "success"}  # the latter is `watched_submit`
    for task_id in (*VENDORS, "watched"):
        healthy.job(task_id).finish()
    healthy.until_state("success")
    assert set(healthy.tries().values()) == {1}
    # Each triggerer, and the process in it that runs the triggers, is the one that it was.
    assert before == {name: {process.pid for process in stack.processes(name)} for name in stack.triggerers}
