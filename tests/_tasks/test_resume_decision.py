"""What a try decides about an earlier one's job is counted as Airflow counts it for its own resumable operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.metrics import count_resume
from airflow_provider_batchdl.emulator import Emulator, Fault
from tests.support.airflow_api import ExecutionApi, without_store
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import BOTH, submitter, work
from tests.support.airflow_stats import Stats

pytestmark = needs_task_state_store
Make = Callable[..., Any]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return partial(submitter(request, deferrable=True), **work("apartmentiq", tmp_path))


@pytest.fixture(autouse=True)
def _jobs_run_on(connections: Emulator, polls: Polls) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600


def counted(stats: Stats) -> dict[str, int]:
    """The counters since the last call, without their common beginning."""
    found = Counter(name.removeprefix("resumable_job.") for name, _, _ in stats.seen if name.startswith("resumable_"))
    assert all(value == 1 and "vendor" not in tags for name, value, tags in stats.seen if name.startswith("resumable_"))
    stats.seen.clear()
    return dict(found)


@BOTH
def test_a_first_try_and_a_clear_are_fresh(api: ExecutionApi, stats: Stats, make: Make) -> None:
    api.run(make)
    tags = [tags for name, _, tags in stats.seen if name == "resumable_job.fresh_submit"]
    assert tags == [{"operator": make.func.__name__}]  # type: ignore[attr-defined]
    assert counted(stats) == {"fresh_submit": 1}
    api.clear()
    api.run(make, try_number=2)
    assert counted(stats) == {"fresh_submit": 1}


@BOTH
@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        (None, {"reconnect_attempt": 1, "reconnect_success": 1}),
        ("finish", {"reconnect_attempt": 1, "already_succeeded": 1}),
        ("fail", {"reconnect_attempt": 1, "terminal_resubmit": 1}),
        ("cancel", {"reconnect_attempt": 1}),
    ],
)
def test_a_retry(
    connections: Emulator, api: ExecutionApi, stats: Stats, make: Make, ends: str | None, outcome: dict[str, int]
) -> None:
    api.run(make)
    counted(stats)
    if ends is not None:
        getattr(connections.jobs("apartmentiq")[0], ends)()
    api.run(make, try_number=2)
    assert counted(stats) == outcome


def test_a_job_that_is_gone(connections: Emulator, api: ExecutionApi, stats: Stats, make: Make, tmp_path: Path) -> None:
    listed_nowhere = partial(make, **{"request": None, **work("proofy", tmp_path)})
    api.run(listed_nowhere)
    counted(stats)
    connections.add_fault(Fault("status", operation="status", status=404, times=5))
    api.run(listed_nowhere, try_number=2)
    assert counted(stats) == {"reconnect_attempt": 1, "terminal_resubmit": 1}


def test_a_job_whose_submit_got_no_response(connections: Emulator, api: ExecutionApi, stats: Stats, make: Make) -> None:
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    connections.add_fault(Fault("status", operation="list", status=500, times=50))
    assert api.run(make).state == "up_for_retry"
    assert counted(stats) == {"fresh_submit": 1}
    connections.clear_faults()
    api.run(make, try_number=2)
    assert counted(stats) == {"reconnect_attempt": 1, "reconnect_success": 1}


def test_other_input(api: ExecutionApi, stats: Stats, make: Make) -> None:
    api.run(make)
    counted(stats)
    other = {"report_type": "property", "output_format": "csv", "start_date": "2026-10-01", "end_date": "2026-10-30"}
    api.run(partial(make, request={**other, "property_ids": [1201]}), try_number=2)
    assert counted(stats) == {"reconnect_attempt": 1}
    api.run(partial(make, request={**other, "property_ids": [1201]}, on_changed_input="resubmit"), try_number=3)
    assert counted(stats) == {"reconnect_attempt": 1, "terminal_resubmit": 1}


def test_a_vendor_that_does_not_respond(connections: Emulator, api: ExecutionApi, stats: Stats, make: Make) -> None:
    api.run(make)
    counted(stats)
    connections.add_fault(Fault("status", operation="status", status=500, times=50))
    assert api.run(make, try_number=2).state == "up_for_retry"
    assert counted(stats) == {"reconnect_attempt": 1}


def test_without_a_record_there_is_nothing_to_count(api: ExecutionApi, stats: Stats, make: Make) -> None:
    api.run(partial(make, durable=False))
    api.run(partial(make, pre_execute=without_store))
    assert counted(stats) == {}


def test_the_team_is_a_tag(stats: Stats) -> None:
    class Instance:
        stats_tags = {"dag_id": "d", "team_name": "blue"}  # noqa: RUF012

    context: Any = {"task": object(), "ti": Instance()}
    count_resume("fresh_submit", context)
    assert stats.seen == [("resumable_job.fresh_submit", 1, {"operator": "object", "team_name": "blue"})]
