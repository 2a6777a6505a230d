"""A retry that would submit something else, or to somebody else, than what was submitted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InputChangedError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import ADDRESSES, BOTH, STORED, VENDORS, count, submitter, work

pytestmark = needs_task_state_store
Make = Callable[..., Any]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    return submitter(request, deferrable=True)


@pytest.fixture(autouse=True)
def _jobs_run_on(connections: Emulator, polls: Polls) -> None:
    connections.world.queue_seconds = 0.0
    connections.world.run_seconds = 3600


def ran(api: ExecutionApi, make: Callable[[], Any], **how: Any) -> None:
    outcome = api.run(make, **how)
    assert outcome.state in ("success", "deferred"), outcome.error


def assert_refused(api: ExecutionApi, make: Callable[[], Any], what: str, **how: Any) -> None:
    outcome = api.run(make, **how)
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert isinstance(outcome.cause, InputChangedError)
    assert f"since then, {what} changed." in str(outcome.error)
    assert 'on_changed_input="resubmit"' in str(outcome.error)


def changed(vendor: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Other work of a vendor, and the name of what is other about it."""
    arguments = work(vendor, folder)
    if vendor == "revenuebase":
        Path(arguments["file"]).write_text("email\nsomebody@else.example\n")
        return arguments, "the file's content"
    member, value = {
        "proofy": ("emails", [*ADDRESSES, "somebody@else.example"]),
        "batchcom": ("attributes", ["$region"]),
        "apartmentiq": ("end_date", "2026-11-30"),
    }[vendor]
    return {**arguments, "request": {**arguments["request"], member: value}}, f"the request's {member!r}"


@BOTH
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_retry_with_other_input_fails_and_says_what_is_other(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    ran(api, lambda: make(**work(vendor, tmp_path)))
    other, what = changed(vendor, tmp_path)
    assert_refused(api, lambda: make(**other), what, try_number=2)
    assert count(connections, "submit") == 1
    # With the change undone, it is as if nothing had been.
    ran(api, lambda: make(**work(vendor, tmp_path)), try_number=3)
    assert count(connections, "submit") == 1
    # And a clear submits whatever there is then.
    api.clear()
    ran(api, lambda: make(**{**work(vendor, tmp_path), **changed(vendor, tmp_path)[0]}), try_number=4)
    assert count(connections, "submit") == 2


@BOTH
@pytest.mark.parametrize("vendor", VENDORS)
def test_or_submits_that_and_cancels_the_other(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str
) -> None:
    ran(api, lambda: make(**work(vendor, tmp_path)))
    [old] = connections.jobs(vendor)
    other, _ = changed(vendor, tmp_path)
    ran(api, lambda: make(**other, on_changed_input="resubmit"), try_number=2)
    [new] = [job for job in connections.jobs(vendor) if job is not old]
    assert api.store[STORED]["job_id"].endswith(new.id)
    assert old.cancelled is (vendor != "batchcom")
    assert not new.cancelled
    ran(api, lambda: make(**other, on_changed_input="resubmit"), try_number=3)
    assert count(connections, "submit") == 2


def test_what_has_no_digest_is_not_stored(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    stored = json.dumps(api.store[STORED])
    assert "emails" in stored
    assert not any(address in stored for address in ADDRESSES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}),
        ({"a": ("x", {"z": 1, "y": 2})}, {"a": ["x", {"y": 2, "z": 1}]}),
    ],
)
def test_another_order_is_no_change(
    connections: Emulator, api: ExecutionApi, make: Make, before: dict[str, Any], after: dict[str, Any]
) -> None:
    export = {"export_type": "ATTRIBUTES", "attributes": ["$region"]}
    ran(api, lambda: make(conn_id="batchcom_default", request={**export, **before}))
    ran(api, lambda: make(conn_id="batchcom_default", request={**after, **export}), try_number=2)
    assert count(connections, "submit") == 1


@pytest.mark.parametrize("changes", [{"filter": {"segment": "VIP"}}, {"identifiers": None}])
def test_a_member_more_or_less_is_a_change(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, changes: dict[str, Any]
) -> None:
    before = work("batchcom", tmp_path)
    after = {name: value for name, value in {**before["request"], **changes}.items() if value is not None}
    ran(api, lambda: make(**before))
    assert_refused(
        api, lambda: make(**{**before, "request": after}), f"the request's {next(iter(changes))!r}", try_number=2
    )


def test_a_file_that_is_gone_is_no_change(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    """It may have been a temporary one: what is needed of it is at the vendor."""
    arguments = work("revenuebase", tmp_path)
    ran(api, lambda: make(**arguments))
    Path(arguments["file"]).unlink()
    ran(api, lambda: make(**arguments), try_number=2)
    assert count(connections, "submit") == 1


def test_another_file_is_a_change(connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make) -> None:
    arguments = work("revenuebase", tmp_path)
    ran(api, lambda: make(**arguments))
    other = tmp_path / "others.csv"
    other.write_bytes(Path(arguments["file"]).read_bytes())
    assert_refused(api, lambda: make(**{**arguments, "file": str(other)}), "the file's name", try_number=2)


def test_values_that_differ_with_each_try_are_said_to_be_no_input(
    connections: Emulator, api: ExecutionApi, make: Make
) -> None:
    """``{{ ts }}`` renders alike in every try; this does not."""
    request = {"export_type": "ATTRIBUTES", "attributes": ["$region"], "note": "{{ ts }} {{ ti.try_number }}"}
    ran(api, lambda: make(conn_id="batchcom_default", request=request))
    outcome = api.run(lambda: make(conn_id="batchcom_default", request=request), try_number=2)
    assert "like ti.try_number" in str(outcome.error)
    assert outcome.state == "failed"
    api.store[STORED] = None
    same = {**request, "note": "{{ ts }}"}
    ran(api, lambda: make(conn_id="batchcom_default", request=same), try_number=1)
    ran(api, lambda: make(conn_id="batchcom_default", request=same), try_number=2)


def test_a_job_that_failed_is_submitted_with_whatever_there_is_now(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    """Correcting the request is what its failure asks for."""
    ran(api, lambda: make(**work("apartmentiq", tmp_path)))
    connections.jobs("apartmentiq")[0].fail("no such date")
    ran(api, lambda: make(**changed("apartmentiq", tmp_path)[0]), try_number=2)
    assert count(connections, "submit") == 2


def test_what_an_older_version_stored_is_not_compared(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    ran(api, lambda: make(**work("proofy", tmp_path)))
    for name in ("inputs", "account", "lost_at"):
        del api.store[STORED][name]
    ran(api, lambda: make(**changed("proofy", tmp_path)[0]), try_number=2)
    assert count(connections, "submit") == 1


def test_a_submit_of_unknown_outcome_is_not_taken_for_another(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make
) -> None:
    connections.add_fault(Fault("reset", operation="submit", processed=True))
    connections.add_fault(Fault("status", operation="list", status=400))
    assert api.run(lambda: make(**work("apartmentiq", tmp_path))).state == "up_for_retry"
    other, what = changed("apartmentiq", tmp_path)
    assert_refused(api, lambda: make(**other), what, try_number=2)
    ran(api, lambda: make(**other, on_changed_input="resubmit"), try_number=3)
    assert count(connections, "submit") == 2


# The account.


def other_connection(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, vendor: str, **changes: Any) -> str:
    """Another connection of a vendor: its id."""
    connection = emulator.connections()[f"{vendor}_default"]
    extra = connection["extra"] if isinstance(connection["extra"], dict) else json.loads(connection["extra"] or "{}")
    value = {**connection, **changes, "extra": {**extra, "rate_limit": "1000/1", **changes.get("extra", {})}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_OTHER", json.dumps(value))
    return f"{vendor}_other"


@pytest.mark.parametrize("vendor", ["revenuebase", "proofy"])
def test_another_connection_may_be_another_account_where_only_a_key_names_it(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {**work(vendor, tmp_path), "conn_id": other_connection(monkeypatch, connections, vendor)}
    ran(api, lambda: make(**work(vendor, tmp_path)))
    asked = count(connections, "status")
    what = f"the account (connection '{vendor}_default' then, '{vendor}_other' now)"
    assert_refused(api, lambda: make(**other), what, try_number=2)
    assert count(connections, "status") == asked
    ran(api, lambda: make(**other, on_changed_input="resubmit"), try_number=3)
    assert (count(connections, "submit"), count(connections, "cancel")) == (2, 0)


@pytest.mark.parametrize(
    ("vendor", "changes"),
    [("batchcom", {"extra": {"project_key": "project_of_others"}}), ("apartmentiq", {"login": "x"})],
)
def test_another_account_by_the_same_connection(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    make: Make,
    vendor: str,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran(api, lambda: make(**work(vendor, tmp_path)))
    other_connection(monkeypatch, connections, vendor, **changes)
    monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", os.environ[f"AIRFLOW_CONN_{vendor.upper()}_OTHER"])
    assert_refused(
        api,
        lambda: make(**work(vendor, tmp_path)),
        f"the account (connection '{vendor}_default' then, '{vendor}_default' now)",
        try_number=2,
    )


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_another_connection_to_the_same_account_continues(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, make: Make, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(api, lambda: make(**work(vendor, tmp_path)))
    conn_id = other_connection(monkeypatch, connections, vendor)
    ran(api, lambda: make(**{**work(vendor, tmp_path), "conn_id": conn_id}), try_number=2)
    assert count(connections, "submit") == 1


def test_a_deferred_task_does_not_continue_at_another_account(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = partial(BatchJobOperator, task_id="task", deferrable=True, **work("batchcom", tmp_path))
    ran(api, make)
    [job] = connections.jobs("batchcom")
    event = {"conn_id": "batchcom_default", "job_id": job.id, "status": "ended"}
    api.resume_with({**event, "job": {"id": job.id, "state": "succeeded", "vendor_state": "SUCCESS"}})
    other_connection(monkeypatch, connections, "batchcom", extra={"project_key": "project_of_others"})
    monkeypatch.setenv("AIRFLOW_CONN_BATCHCOM_DEFAULT", os.environ["AIRFLOW_CONN_BATCHCOM_OTHER"])
    asked = len(connections.requests)
    assert_refused(api, make, "the account (connection 'batchcom_default' then, 'batchcom_default' now)")
    assert len(connections.requests) == asked
