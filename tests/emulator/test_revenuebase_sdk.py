"""The vendor's own client, which nobody here wrote, drives every v2 call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ManualClock

try:
    from revenuebase_sdk import AuthenticationError, BadRequestError, RateLimitError, RevenuebaseClient
except ImportError:  # `make compat`: it is younger than what Airflow 3.2 runs with
    pytest.skip("needs revenuebase-sdk", allow_module_level=True)


@pytest.fixture
def sdk(emulator: Emulator) -> Iterator[RevenuebaseClient]:
    key = emulator.credentials["revenuebase"].password
    # The SDK's own __enter__ is typed as that of its base class.
    client = RevenuebaseClient(api_key=key, base_url=emulator.urls["revenuebase"])
    yield client
    client.close()


def test_a_batch_from_end_to_end(emulator: Emulator, sdk: RevenuebaseClient, clock: ManualClock) -> None:
    job = sdk.email.batch_upload(file=b"email\na@b.com\n", filename="a.csv", metadata=True)
    assert job.status == "PROCESSING QUEUED"
    assert [process.process_id for process in sdk.jobs.list().processes] == [job.process_id]
    with pytest.raises(BadRequestError):
        sdk.jobs.download(process_id=job.process_id)
    clock.advance(30)
    assert sdk.jobs.get(process_id=job.process_id).current_status == "COMPLETED"
    assert sdk.jobs.download(process_id=job.process_id).startswith(b"email,status,domain")
    with pytest.raises(BadRequestError):
        sdk.jobs.cancel(process_id=job.process_id)
    other = sdk.email.batch_upload(file=b'["a@b.com"]', filename="a.json")
    assert sdk.jobs.cancel(process_id=other.process_id).current_status == "CANCELLING"
    assert {record.status for record in emulator.requests} == {200, 400}


def test_the_single_calls(emulator: Emulator, sdk: RevenuebaseClient) -> None:
    plain = sdk.email.verify(email="a@example.com")
    rich = sdk.email.verify(email="a@example.com", metadata=True)
    assert plain.status == rich.status in ("Valid", "Invalid", "Unknown")
    assert rich.mx_record_checked is True
    assert sdk.contact.refresh_email(email="a@example.com").status == "current"
    before = sdk.account.balance().credits
    companies = sdk.organization.resolve(company_name="Acme", result_count=5, headquarters_country="US").companies
    assert [company.headquarters_country for company in companies] == ["US"] * 5
    assert sdk.account.balance().credits == before - 1
    found = sdk.organization.discover(keyword="bakery", result_count=10, min_similarity_score=0.5).companies
    assert 0 < len(found) < 10
    assert all(company.similar_score >= 0.5 for company in found)
    assert sdk.account.balance().credits == before - 1 - len(found)
    with pytest.raises(BadRequestError):
        sdk.organization.resolve(company_name="Acme", result_count=11)


def test_rotation_and_wrong_keys(emulator: Emulator, sdk: RevenuebaseClient) -> None:
    assert sdk.account.rotate_api_key().api_key == emulator.credentials["revenuebase"].password
    with pytest.raises(AuthenticationError):
        sdk.account.balance()


def test_it_sees_the_rate_limit(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator:
        key = emulator.credentials["revenuebase"].password
        sdk = RevenuebaseClient(api_key=key, base_url=emulator.urls["revenuebase"], max_retries=0)
        with contextlib.closing(sdk):
            for _ in range(60):
                sdk.account.balance()
            with pytest.raises(RateLimitError):
                sdk.account.balance()
            clock.advance(60)
            sdk.account.balance()


def test_its_retry_of_a_submit_bills_twice(emulator: Emulator, sdk: RevenuebaseClient) -> None:
    # The reason why this project never repeats a submission blindly.
    emulator.add_fault(Fault("status", operation="submit", status=502, processed=True))
    sdk.email.batch_upload(file=b"email\na@b.com\n", filename="a.csv")
    assert len(emulator.jobs("revenuebase")) == 2
