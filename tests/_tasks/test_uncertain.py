"""A submit whose outcome nobody knows: the error says what to look for, or the user has chosen to submit again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import SubmitUncertainError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from airflow_provider_batchdl.vendors import submitting
from airflow_provider_batchdl.vendors.listing import LISTED_WITHIN
from tests.support.airflow_api import ExecutionApi, Outcome, without_store
from tests.support.airflow_features import needs_retry_policy, needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import ADDRESSES, BOTH, STORED, VENDORS, count, submitter, work

Make = Callable[..., Any]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    return submitter(request, deferrable=False)


@pytest.fixture(autouse=True)
def _quickly(connections: Emulator, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    connections.set_result("batchcom", ResultSpec(bytes=2_000))
    monkeypatch.setattr(submitting, "ADOPTION_DELAYS", (0.0,))


def lose_answers(emulator: Emulator, times: int = 1) -> None:
    """The vendor takes the job, its answer is lost, and its list shows nothing."""
    emulator.add_fault(Fault("reset", operation="submit", processed=True, times=times))
    emulator.add_fault(Fault("status", operation="list", status=400, times=times))


def die_after_submit(api: ExecutionApi, emulator: Emulator, make: Callable[[], Any]) -> None:
    """The worker dies between submit and answer: what is left is the intent. The vendor's list shows nothing."""
    api.run(make)
    api.store[STORED]["job_id"] = None
    emulator.add_fault(
        Fault("status", operation="list", status=200, body=EMPTY_LIST, content_type="application/json", times=100)
    )


# Every vendor's way to list nothing, in one.
EMPTY_LIST = '{"processes": [], "exports": [], "jobs": [], "data": [], "pagination": {"total_pages": 1}}'


def what_to_check(api: ExecutionApi, vendor: str) -> list[str]:
    if vendor == "revenuebase":
        return ["Revenuebase", f"people-{api.store[STORED]['key']}.csv"]
    if vendor == "proofy":
        return ["Proofy", '{"emails": "(3 items)"}']
    if vendor == "batchcom":
        return ["Batch.com", '"export_type": "ATTRIBUTES"']
    return ["ApartmentIQ", '"start_date": "2026-10-01"']


def when_to_check(api: ExecutionApi) -> list[str]:
    """The stored time is that of the first byte, which comes after the one that the error names."""
    stored = datetime.fromisoformat(api.store[STORED]["submitted_at"])
    return [f"{stored - timedelta(seconds=ago):%Y-%m-%d %H:%M:%S} UTC" for ago in range(120)]


def assert_tells(outcome: Outcome, api: ExecutionApi, vendor: str) -> None:
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, SubmitUncertainError)
    for words in [*what_to_check(api, vendor), "BatchJobSensor", 'on_uncertain_submit="resubmit"']:
        assert words in str(outcome.error)
    assert any(at in str(outcome.error) for at in when_to_check(api))
    assert not any(address in str(outcome.error) for address in ADDRESSES)


LISTS_ALL = ["batchcom", "apartmentiq"]
LISTS_LESS = [vendor for vendor in VENDORS if vendor not in LISTS_ALL]


@BOTH
@pytest.mark.parametrize("vendor", LISTS_LESS)
@needs_task_state_store
def test_a_lost_answer_fails_and_says_what_to_check(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    lose_answers(connections)
    outcome = api.run(lambda: make(**work(vendor, tmp_path)))
    assert_tells(outcome, api, vendor)
    [job] = connections.jobs(vendor)
    if vendor == "revenuebase":
        assert str(job.filename) in str(outcome.error)


@pytest.mark.parametrize("vendor", LISTS_LESS)
@needs_task_state_store
def test_a_retry_after_an_unknown_outcome_fails_and_says_what_to_check(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    die_after_submit(api, connections, lambda: make(**work(vendor, tmp_path)))
    outcome = api.run(lambda: make(**work(vendor, tmp_path)), try_number=2)
    assert_tells(outcome, api, vendor)
    assert count(connections, "submit") == 1


def minutes_pass(api: ExecutionApi, minutes: float) -> None:
    """What was stored was stored so much earlier."""
    record = api.store[STORED]
    for name in ("submitted_at", "lost_at"):
        if record[name]:
            record[name] = (datetime.fromisoformat(record[name]) - timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(("vendor", "status"), [*zip(LISTS_ALL * 2, [500, 502, 503, None], strict=True)])
@needs_task_state_store
def test_what_a_list_of_all_jobs_does_not_show_for_minutes_is_submitted_by_a_retry(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str, status: int | None
) -> None:
    """An outage must not end in tasks that only a person can mend."""
    lost = Fault("status", operation="submit", status=status, shape="html") if status else None
    connections.add_fault(lost or Fault("reset", operation="submit"))
    outcome = api.run(lambda: make(**work(vendor, tmp_path)))
    assert outcome.kind == ("up_for_retry", "SubmitUncertainError")
    assert "5 minutes after the submit" in str(outcome.error)
    assert isinstance(outcome.error, SubmitUncertainError)
    assert outcome.error.retry_after == LISTED_WITHIN
    # Too soon: it may still show.
    minutes_pass(api, 4)
    outcome = api.run(lambda: make(**work(vendor, tmp_path)), try_number=2)
    assert outcome.kind == ("up_for_retry", "SubmitUncertainError")
    assert isinstance(outcome.error, SubmitUncertainError)
    assert 0 < (outcome.error.retry_after or 0) <= 60
    minutes_pass(api, 1)
    assert api.run(lambda: make(**work(vendor, tmp_path)), try_number=3).state == "success"
    assert count(connections, "submit") == 2
    assert len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", LISTS_ALL)
@needs_task_state_store
def test_what_shows_in_the_list_after_minutes_is_adopted(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    connections.add_fault(Fault("status", operation="submit", status=502, processed=True))
    connections.add_fault(
        Fault("status", operation="list", status=200, body=EMPTY_LIST, content_type="application/json")
    )
    assert api.run(lambda: make(**work(vendor, tmp_path))).kind == ("up_for_retry", "SubmitUncertainError")
    # The job was made when it was made: only the task's clock is put forward.
    api.store[STORED]["lost_at"] = (datetime.now(UTC) - timedelta(minutes=9)).isoformat()
    assert api.run(lambda: make(**work(vendor, tmp_path)), try_number=2).state == "success"
    assert len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", LISTS_ALL)
@needs_task_state_store
def test_a_clock_that_is_ahead_costs_no_second_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it, the job of a killed worker was made long before its submit, which was minutes ago."""
    real = times.now
    monkeypatch.setattr(times, "now", lambda: real() + timedelta(minutes=10))
    assert api.run(lambda: make(**work(vendor, tmp_path))).state == "success"
    api.store[STORED]["job_id"] = None
    monkeypatch.setattr(times, "now", lambda: real() + timedelta(minutes=16))
    assert api.run(lambda: make(**work(vendor, tmp_path)), try_number=2).state == "success"
    assert count(connections, "submit") == 1


@pytest.mark.parametrize("vendor", LISTS_ALL)
@needs_task_state_store
def test_a_list_that_cannot_be_read_shows_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    connections.add_fault(Fault("reset", operation="submit"))
    connections.add_fault(Fault("status", operation="list", status=500, times=100))
    assert api.run(lambda: make(**work(vendor, tmp_path))).kind == ("up_for_retry", "SubmitUncertainError")
    minutes_pass(api, 60)
    outcome = api.run(lambda: make(**work(vendor, tmp_path)), try_number=2)
    assert outcome.kind == ("up_for_retry", "VendorUnavailableError")
    assert count(connections, "submit") == 1


def listing(*items: Any, more: bool = False) -> str:
    """A page of either vendor's list; whether it says that another follows, which cannot be had."""
    follows = {"has_more": more, "next_from": None, "pagination": {"total_pages": 2 if more else 1}}
    return json.dumps({"exports": items, "jobs": items, **follows})


NOW = "2999-01-01T00:00:00Z"
UNREADABLE: dict[str, Any] = {
    "no object": "broken",
    "null": None,
    "no time": {"id": "e1", "job_id": str(UUID(int=1)), "status": "submitted"},
    "no request": {"id": "e1", "status": "CREATED", "request_date": NOW, "job_id": str(UUID(int=1)), "created_at": NOW},
    "a time that is none": {"request_date": "soon", "created_at": 12, "id": "e1", "job_id": str(UUID(int=1))},
}

SICK: dict[str, dict[str, Any]] = {"a sick state": {"status": None}, "a sick id": {"id": [], "job_id": []}}


def list_shows(emulator: Emulator, body: str) -> None:
    emulator.add_fault(
        Fault("status", operation="list", status=200, body=body, content_type="application/json", times=100)
    )


def as_listed(vendor: str, request: dict[str, Any], **sick: Any) -> dict[str, Any]:
    """The job of a request as either vendor lists it."""
    if vendor == "batchcom":
        return {"id": "e1", "status": "CREATED", "request_date": NOW, "request": request, **sick}
    return {"job_id": str(UUID(int=1)), "status": "submitted", "created_at": NOW, **request, **sick}


@pytest.mark.parametrize("vendor", LISTS_ALL)
@pytest.mark.parametrize("how", [*UNREADABLE, *SICK, "pages that cannot be had"])
@needs_task_state_store
def test_what_a_list_does_not_show_may_be_the_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, how: str
) -> None:
    """An item that cannot be read may be it, so nothing is submitted, and the retries go on asking."""
    arguments = work(vendor, tmp_path)
    sick = SICK.get(how)
    item = as_listed(vendor, arguments["request"], **sick) if sick else UNREADABLE.get(how)
    connections.add_fault(Fault("reset", operation="submit"))
    list_shows(connections, listing(more=True) if how.startswith("pages") else listing(item))
    make = partial(SubmitBatchJobOperator, task_id="task", **arguments)
    assert api.run(make).kind == ("up_for_retry", "SubmitUncertainError")
    minutes_pass(api, 60)
    outcome = api.run(make, try_number=2)
    assert outcome.kind == ("up_for_retry", "SubmitUncertainError")
    assert "cannot be read" in str(outcome.error)
    assert count(connections, "submit") == 1
    # The list is well again, and the job is not in it.
    connections.clear_faults()
    assert api.run(make, try_number=3).state == "success"
    assert len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", LISTS_ALL)
@needs_task_state_store
def test_items_that_are_surely_other_jobs_hold_up_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str
) -> None:
    """However sick: one of another request, one of before the submit."""
    arguments = work(vendor, tmp_path)
    other = as_listed(vendor, {"export_type": "EVENTS", "report_type": "floor_plan"}, status=None)
    old = {"request_date": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z"}
    connections.add_fault(Fault("reset", operation="submit"))
    list_shows(connections, listing(other, old))
    make = partial(SubmitBatchJobOperator, task_id="task", **arguments)
    assert api.run(make).kind == ("up_for_retry", "SubmitUncertainError")
    minutes_pass(api, 60)
    assert api.run(make, try_number=2).state == "success"
    assert len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", LISTS_ALL)
@needs_task_state_store
def test_the_job_is_found_among_items_that_cannot_be_read(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str
) -> None:
    arguments = work(vendor, tmp_path)
    connections.add_fault(Fault("reset", operation="submit"))
    mine = as_listed(vendor, arguments["request"])
    list_shows(connections, listing("broken", as_listed(vendor, arguments["request"], status=None), mine))
    outcome = api.run(partial(SubmitBatchJobOperator, task_id="task", **arguments))
    assert outcome.value == (mine.get("job_id") or mine["id"])
    assert count(connections, "submit") == 1


@pytest.mark.parametrize(("vendor", "shape"), [*zip(VENDORS, ["html", "text", "empty", "html"], strict=True)])
@needs_task_state_store
def test_a_routers_503_after_the_job_was_taken(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str, shape: Any
) -> None:
    """It is never sent again within the try: the job is adopted where there is a list, and else it is uncertain."""
    connections.add_fault(Fault("status", operation="submit", status=503, shape=shape, processed=True))
    outcome = api.run(lambda: make(**work(vendor, tmp_path)))
    assert count(connections, "submit") == 1
    assert len(connections.jobs(vendor)) == 1
    if vendor == "proofy":
        assert_tells(outcome, api, vendor)
    else:
        assert outcome.state == "success", outcome.error
        [job] = connections.jobs(vendor)
        assert api.store[STORED]["job_id"] == job.id


@pytest.mark.parametrize("vendor", VENDORS)
@needs_task_state_store
def test_the_vendors_own_503_is_repeated_within_the_try(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    """It says that nothing was taken."""
    connections.add_fault(Fault("status", operation="submit", status=503, retry_after=0))
    assert api.run(lambda: make(**work(vendor, tmp_path))).state == "success"
    assert count(connections, "submit") == 2
    assert len(connections.jobs(vendor)) == 1


@pytest.mark.parametrize("vendor", VENDORS)
@needs_task_state_store
def test_a_lost_answer_is_submitted_again_in_the_same_try(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    lose_answers(connections)
    outcome = api.run(lambda: make(**work(vendor, tmp_path), on_uncertain_submit="resubmit"))
    assert outcome.state == "success", outcome.error
    [_, second] = sorted(connections.jobs(vendor), key=lambda job: job.submitted_at)
    assert api.store[STORED]["job_id"] == second.id
    # And a retry stays with that.
    again = api.run(lambda: make(**work(vendor, tmp_path), on_uncertain_submit="resubmit"), try_number=2)
    assert again.value == outcome.value
    assert count(connections, "submit") == 2


@BOTH
@pytest.mark.parametrize("vendor", VENDORS)
@needs_task_state_store
def test_a_retry_after_an_unknown_outcome_submits_again(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    die_after_submit(api, connections, lambda: make(**work(vendor, tmp_path)))
    outcome = api.run(lambda: make(**work(vendor, tmp_path), on_uncertain_submit="resubmit"), try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 2


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
@needs_task_state_store
def test_what_can_be_found_is_not_submitted_again(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    resubmitting = {**work(vendor, tmp_path), "on_uncertain_submit": "resubmit"}
    assert api.run(lambda: make(**resubmitting)).state == "success"
    api.store[STORED]["job_id"] = None
    assert api.run(lambda: make(**resubmitting), try_number=2).state == "success"
    assert count(connections, "submit") == 1


@needs_task_state_store
def test_a_list_that_is_down_is_asked_again_before_anything_is_submitted(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    resubmitting = {**work("apartmentiq", tmp_path), "on_uncertain_submit": "resubmit"}
    api.run(lambda: make(**resubmitting))
    api.store[STORED]["job_id"] = None
    connections.add_fault(Fault("status", operation="list", status=503, times=5))
    outcome = api.run(lambda: make(**resubmitting), try_number=2)
    assert outcome.kind == ("up_for_retry", "VendorUnavailableError")
    assert all(words in caplog.text for words in what_to_check(api, "apartmentiq"))
    assert api.run(lambda: make(**resubmitting), try_number=3).state == "success"
    assert count(connections, "submit") == 1


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({}, id="plain"),
        pytest.param({"retry_policy": BatchDlRetryPolicy()}, id="policy", marks=needs_retry_policy),
    ],
)
def test_answers_that_go_on_being_lost_are_left_to_the_retries(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, policy: dict[str, Any]
) -> None:
    lose_answers(connections, times=2)
    resubmitting = {**work("proofy", tmp_path), **policy, "on_uncertain_submit": "resubmit"}
    assert api.run(lambda: make(**resubmitting)).kind == ("up_for_retry", "SubmitUncertainError")
    assert count(connections, "submit") == 2
    assert api.run(lambda: make(**resubmitting), try_number=2).state == "success"
    assert count(connections, "submit") == 3


@BOTH
def test_it_works_without_a_store(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    lose_answers(connections, times=2)
    older = {**work("proofy", tmp_path), "pre_execute": without_store}
    assert api.run(lambda: make(**older)).kind == ("failed", BatchTaskFailedError.__name__)
    assert api.run(lambda: make(**older, on_uncertain_submit="resubmit"), try_number=2).state == "success"
    assert count(connections, "submit") == 3


def test_what_was_surely_not_taken_is_no_question(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    connections.set_credits("revenuebase", 0)
    outcome = api.run(lambda: make(**work("revenuebase", tmp_path), on_uncertain_submit="resubmit"))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert count(connections, "submit") == 1


@BOTH
@pytest.mark.parametrize("name", ["on_uncertain_submit", "on_changed_input"])
def test_there_are_two_choices(make: Make, name: str) -> None:
    with pytest.raises(ValueError, match=rf'{name} must be "fail" or "resubmit", not \'maybe\''):
        make(conn_id="proofy_default", request={}, **{name: "maybe"})


def test_a_long_request_is_cut_and_an_address_with_a_signature_is_masked(connections: Emulator) -> None:
    lose_answers(connections)
    url = "https://bucket.example/people.csv?X-Amz-Signature=0123456789abcdef0123456789abcdef"
    request = {"file_name": "people.csv", "file_url": url, "more": "x" * 1000}
    with pytest.raises(SubmitUncertainError) as caught:
        BatchApiHook.for_connection("proofy_default").submit_job(request)
    assert '"file_name": "people.csv"' in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)
    assert len(str(caught.value)) < 1_200
