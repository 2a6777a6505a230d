from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InvalidRequestError, JobNotFoundError, UnsupportedOperationError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count

MADE_UP_ID = "00000000-0000-4000-8000-000000000000"


def cancel(**arguments: Any) -> CancelBatchJobOperator:
    return CancelBatchJobOperator(task_id="cancel", **arguments)


@pytest.mark.parametrize("vendor", ["revenuebase", "proofy", "apartmentiq"])
def test_a_running_job_is_cancelled(connections: Emulator, api: ExecutionApi, vendor: str) -> None:
    job = connections.add_job(vendor, state="running")
    outcome = api.run(lambda: cancel(conn_id=f"{vendor}_default", job_id=job.id))
    assert outcome.state == "success", outcome.error
    assert outcome.value["id"] == job.id
    assert job.cancelled
    assert api.run(lambda: cancel(conn_id=f"{vendor}_default", job_id=job.id)).state == "success"


@pytest.mark.parametrize("vendor", ["revenuebase", "proofy", "batchcom", "apartmentiq"])
@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_job_that_has_ended_is_left(connections: Emulator, api: ExecutionApi, vendor: str, state: str) -> None:
    job = connections.add_job(vendor, state=state)
    outcome = api.run(lambda: cancel(conn_id=f"{vendor}_default", job_id=job.id))
    assert (outcome.state, outcome.value["state"]) == ("success", state)
    assert count(connections, "cancel") == 0


def test_a_job_that_ends_in_the_same_moment_is_no_failure(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("revenuebase", state="running")
    refusal = '{"detail": "not_cancellable"}'
    connections.add_fault(
        Fault("status", operation="cancel", status=400, body=refusal, content_type="application/json")
    )
    finish_on_refusal(connections, job)
    outcome = api.run(lambda: cancel(conn_id="revenuebase_default", job_id=job.id))
    assert (outcome.state, outcome.value["state"]) == ("success", "succeeded")


def finish_on_refusal(emulator: Emulator, job: Any) -> None:
    """The first poll shows it running, the second one, after the refusal, succeeded."""
    real = job.__class__.vendor_state.fget

    class Finishing(job.__class__):  # type: ignore[misc]
        @property
        def vendor_state(self) -> str:
            if count(emulator, "cancel"):
                self.finish()
            return str(real(self))

    job.__class__ = Finishing


def test_where_the_vendor_cannot_cancel_no_retry_helps(connections: Emulator, api: ExecutionApi) -> None:
    job = connections.add_job("batchcom", state="running")
    outcome = api.run(lambda: cancel(conn_id="batchcom_default", job_id=job.id))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, UnsupportedOperationError)


def test_an_unknown_job(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    outcome = api.run(lambda: cancel(conn_id="apartmentiq_default", job_id=MADE_UP_ID))
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert outcome.error is not None
    assert isinstance(outcome.cause, JobNotFoundError)


@pytest.mark.parametrize("vendor", ["revenuebase", "apartmentiq"])
def test_an_id_of_another_vendors_job(connections: Emulator, api: ExecutionApi, vendor: str) -> None:
    outcome = api.run(lambda: cancel(conn_id=f"{vendor}_default", job_id="batch_7"))
    assert isinstance(outcome.cause, InvalidRequestError)
    assert "Check the job_id" in str(outcome.error)
    assert not connections.requests
