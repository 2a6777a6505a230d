"""Dates in a request: from the DAG's file, from a template, from a task upstream, and in a retry."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, task

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import DagSerialization, needs_task_state_store
from tests.support.airflow_jobs import count

REPORT: dict[str, Any] = {"report_type": "property", "output_format": "csv", "property_ids": [1201]}
DAYS: dict[str, Any] = {"start_date": date(2026, 10, 1), "end_date": pendulum.datetime(2026, 10, 31)}
TEXTS = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
YESTERDAY = pendulum.now("UTC").subtract(days=1).start_of("hour")


def events(**period: Any) -> dict[str, Any]:
    return {"export_type": "EVENTS", "events": ["email_sent"], "identifiers": ["custom_id"], **period}


def submit(vendor: str, request: Any) -> Any:
    return SubmitBatchJobOperator(task_id="task", conn_id=f"{vendor}_default", request=request)


@pytest.mark.parametrize("make", [SubmitBatchJobOperator, BatchJobOperator])
def test_as_objects(connections: Emulator, api: ExecutionApi, make: Any) -> None:
    outcome = api.run_to_end(
        lambda: make(task_id="task", conn_id="apartmentiq_default", request={**REPORT, **DAYS}, retries=2)
    )
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("apartmentiq")
    assert {name: job.request[name] for name in TEXTS} == TEXTS


def test_times(connections: Emulator, api: ExecutionApi) -> None:
    berlin = YESTERDAY.in_timezone("Europe/Berlin")
    outcome = api.run(lambda: submit("batchcom", events(**{"from": berlin, "to": YESTERDAY.add(hours=1)})))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("batchcom")
    assert job.request["from"] == berlin.isoformat()
    assert job.request["to"] == YESTERDAY.add(hours=1).format("YYYY-MM-DDTHH:mm:ss[Z]")


def test_a_dag_with_dates_can_be_stored() -> None:
    with DAG("dates", schedule=None) as dag:
        submit("apartmentiq", {**REPORT, **DAYS, "more": [{"when": datetime(2026, 10, 1, tzinfo=UTC)}]})
    assert "more" in json.dumps(DagSerialization.to_dict(dag))


def test_xcom_brings_dates_back_as_dates(connections: Emulator, api: ExecutionApi) -> None:
    def make(name: str) -> Any:
        @task
        def request() -> dict[str, Any]:
            return {**REPORT, **DAYS}

        given = request()
        made = submit("apartmentiq", given)
        return made if name == "task" else made.upstream_list[0]

    assert api.run(partial(make, "request")).state == "success"
    outcome = api.run(partial(make, "task"))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("apartmentiq")
    assert {name: job.request[name] for name in TEXTS} == TEXTS


def test_a_request_may_be_a_callable(connections: Emulator, api: ExecutionApi) -> None:
    """Airflow calls what is given for a template field."""

    def request(context: Any, jinja_env: Any) -> dict[str, Any]:
        last = context["logical_date"].date()
        return {**REPORT, "start_date": last.subtract(days=6), "end_date": last}

    outcome = api.run(lambda: submit("apartmentiq", request))
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("apartmentiq")
    assert (job.request["start_date"], job.request["end_date"]) == ("2025-12-26", "2026-01-01")


@needs_task_state_store
@pytest.mark.parametrize(
    ("vendor", "before", "after"),
    [
        ("apartmentiq", {**REPORT, **DAYS}, {**REPORT, **TEXTS}),
        ("apartmentiq", {**REPORT, **TEXTS}, {**REPORT, **DAYS}),
        ("batchcom", events(**{"from": YESTERDAY}), events(**{"from": str(YESTERDAY)})),
        ("batchcom", events(**{"from": YESTERDAY}), events(**{"from": YESTERDAY.format("YYYY-MM-DDTHH:mm:ss[Z]")})),
        ("batchcom", events(**{"from": YESTERDAY}), events(**{"from": YESTERDAY.in_timezone("Asia/Tokyo")})),
        ("batchcom", events(**{"from": YESTERDAY.date()}), events(**{"from": YESTERDAY.date().isoformat()})),
    ],
)
def test_a_retry_takes_a_date_and_its_text_for_the_same(
    connections: Emulator, api: ExecutionApi, vendor: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    for number, request in enumerate((before, after), 1):
        outcome = api.run(lambda request=request: submit(vendor, request), try_number=number)  # type: ignore[misc]
        assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1


@needs_task_state_store
def test_and_another_day_for_another(connections: Emulator, api: ExecutionApi) -> None:
    assert api.run(lambda: submit("batchcom", events(**{"from": YESTERDAY}))).state == "success"
    later = YESTERDAY.add(minutes=1)
    outcome = api.run(lambda: submit("batchcom", events(**{"from": later})), try_number=2)
    assert "since then, the request's 'from' changed." in str(outcome.error)


@pytest.mark.parametrize(
    ("vendor", "request_", "message"),
    [
        (
            "apartmentiq",
            {**REPORT, **TEXTS, "end_date": YESTERDAY.add(minutes=5)},
            "is a time, where the vendor takes days",
        ),
        ("batchcom", events(**{"from": YESTERDAY.naive()}), "has no time zone: give it one"),
        ("batchcom", events(**{"from": YESTERDAY.subtract(days=90)}), "is more than 90 days ago"),
        (
            "batchcom",
            {"export_type": "REACHABILITY", "from": str(YESTERDAY.subtract(years=1)), "channels": ["email"]},
            "is more than 90 days ago",
        ),
        ("batchcom", events(**{"from": YESTERDAY, "to": YESTERDAY}), "period is empty"),
    ],
)
def test_what_cannot_be_right_is_not_sent(
    connections: Emulator, api: ExecutionApi, vendor: str, request_: dict[str, Any], message: str
) -> None:
    outcome = api.run(lambda: submit(vendor, request_))
    assert outcome.state == "failed"
    assert message in str(outcome.error)
    assert isinstance(outcome.error and outcome.cause, InvalidRequestError)
    assert count(connections, "submit") == 0


@needs_task_state_store
def test_a_job_that_was_submitted_in_time_is_not_lost_by_a_late_retry(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = events(**{"from": YESTERDAY.subtract(days=88)})
    assert api.run(lambda: submit("batchcom", request)).state == "success"
    later = pendulum.now("UTC") + timedelta(days=5)
    monkeypatch.setattr("airflow_provider_batchdl._values.times.now", lambda: later)
    outcome = api.run(lambda: submit("batchcom", request), try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1
