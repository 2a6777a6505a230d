"""Flows with canned answers."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_batchdl.exceptions import JobNotFoundError, UnexpectedResponseError, VendorUnavailableError
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.testing import drive
from airflow_provider_batchdl.vendors.base import immediate
from tests.client.helpers import vendor_at


def test_the_value_and_the_requests() -> None:
    proofy = vendor_at("https://h.example", "proofy")
    job, [request] = drive(proofy.get_job("5b2f"), [(200, {"id": "5b2f", "status": "ready"})])
    assert (job.id, job.state) == ("5b2f", JobState.SUCCEEDED)
    assert (request.operation, request.method, request.path) == ("status", "GET", "/verify/batch/5b2f")


def test_answers_may_be_responses_bytes_errors_and_a_function() -> None:
    proofy = vendor_at("https://h.example", "proofy")
    value, _ = drive(proofy.get_balance(), [httpx.Response(200, json={"credits": 5})])
    assert value == 5
    value, _ = drive(proofy.get_balance(), [(200, b'{"credits": 6}')])
    assert value == 6
    value, requests = drive(proofy.get_balance(), lambda request: (200, {"credits": len(request.path)}))
    assert value == len(requests[0].path)
    with pytest.raises(VendorUnavailableError):
        drive(proofy.get_balance(), [VendorUnavailableError("No answer.")])
    assert drive(immediate(7), []) == (7, [])


def test_with_a_vendor_errors_are_those_of_the_clients() -> None:
    proofy = vendor_at("https://h.example", "proofy")
    with pytest.raises(JobNotFoundError, match="No such batch"):
        drive(proofy.get_job("5b2f"), [(404, {"message": "No such batch."})], vendor=proofy)
    with pytest.raises(UnexpectedResponseError, match="another job"):
        drive(proofy.get_job("5b2f"), [(200, {"id": "other", "status": "ready"})], vendor=proofy)


def test_too_few_answers_and_too_many() -> None:
    proofy = vendor_at("https://h.example", "proofy")
    with pytest.raises(AssertionError, match=r"made 1 request.*GET /credits.*no answer to the last"):
        drive(proofy.get_balance(), [])
    with pytest.raises(AssertionError, match=r"1 more answer"):
        drive(proofy.get_balance(), [(200, {"credits": 5})] * 2)
