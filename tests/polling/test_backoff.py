"""Failed polls that a wait retries, and its delays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobNotFoundError,
    RateLimitedError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.polling.backoff import JITTER, MAX_FAILURES, PollBackoff


def test_failures_in_a_row_are_counted() -> None:
    backoff = PollBackoff(1.0)
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            backoff.record_failure(VendorUnavailableError("gone"))
        backoff.reset()
    for _ in range(MAX_FAILURES - 1):
        backoff.record_failure(VendorUnavailableError("gone"))
    last = VendorUnavailableError("gone")
    with pytest.raises(VendorUnavailableError) as caught:
        backoff.record_failure(last)
    assert caught.value is last


@pytest.mark.parametrize("error", [InvalidRequestError("none"), BatchDlError("what")])
def test_what_a_retry_cannot_fix_is_raised_at_once(error: BatchDlError) -> None:
    with pytest.raises(type(error)):
        PollBackoff(1.0).record_failure(error)


def test_a_job_that_is_not_found_is_polled_again_over_minutes() -> None:
    young, old = PollBackoff(1.0), PollBackoff(1.0, young=False)
    delays: dict[PollBackoff, float] = {young: 0.0, old: 0.0}
    for backoff in delays:
        for _ in range(MAX_FAILURES - 1):
            backoff.record_failure(JobNotFoundError("none"))
            delays[backoff] += backoff.next_delay()
        with pytest.raises(JobNotFoundError):
            backoff.record_failure(JobNotFoundError("none"))
    assert delays[young] >= 120
    assert 1 < delays[old] < 60


@given(st.floats(0.01, 1e5), st.none() | st.floats(0, 1e6))
def test_delays_are_jittered_and_no_shorter_than_retry_after(interval: float, asked: float | None) -> None:
    backoff = PollBackoff(interval)
    assert interval * (1 - JITTER) <= backoff.next_delay() <= interval * (1 + JITTER)
    backoff.record_failure(RateLimitedError("slow", retry_after=asked))
    assert backoff.next_delay() >= max(asked or 0, interval * (1 - JITTER))
    backoff.reset()
    assert backoff.next_delay() <= interval * (1 + JITTER)


def test_waits_that_began_together_drift_apart() -> None:
    backoff = PollBackoff(10.0)
    assert len({backoff.next_delay() for _ in range(50)}) > 40


def test_a_retry_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    PollBackoff(1.0).record_failure(VendorUnavailableError("The vendor is out.", vendor="proofy"))
    assert "Poll failed (1 of 4 consecutive failures allowed), retrying: The vendor is out." in caplog.text
