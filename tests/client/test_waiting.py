"""How much a wait forgives, and how long it pauses."""

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
from airflow_provider_batchdl.waiting import FORGIVEN_FAILURES, JITTER, Patience


def test_failures_in_a_row_are_counted() -> None:
    patience = Patience(1.0)
    for _ in range(3):
        for _ in range(FORGIVEN_FAILURES - 1):
            patience.forgive(VendorUnavailableError("gone"))
        patience.reset()
    for _ in range(FORGIVEN_FAILURES - 1):
        patience.forgive(VendorUnavailableError("gone"))
    last = VendorUnavailableError("gone")
    with pytest.raises(VendorUnavailableError) as caught:
        patience.forgive(last)
    assert caught.value is last


@pytest.mark.parametrize("error", [InvalidRequestError("none"), BatchDlError("what")])
def test_what_waiting_cannot_mend_is_raised_at_once(error: BatchDlError) -> None:
    with pytest.raises(type(error)):
        Patience(1.0).forgive(error)


def test_a_job_that_is_not_found_is_polled_again_over_minutes() -> None:
    young, old = Patience(1.0), Patience(1.0, young=False)
    pauses: dict[Patience, float] = {young: 0.0, old: 0.0}
    for patience in pauses:
        for _ in range(FORGIVEN_FAILURES - 1):
            patience.forgive(JobNotFoundError("none"))
            pauses[patience] += patience.pause()
        with pytest.raises(JobNotFoundError):
            patience.forgive(JobNotFoundError("none"))
    assert pauses[young] >= 120
    assert 1 < pauses[old] < 60


@given(st.floats(0.01, 1e5), st.none() | st.floats(0, 1e6))
def test_pauses_are_jittered_and_as_long_as_asked(interval: float, asked: float | None) -> None:
    patience = Patience(interval)
    assert interval * (1 - JITTER) <= patience.pause() <= interval * (1 + JITTER)
    patience.forgive(RateLimitedError("slow", retry_after=asked))
    assert patience.pause() >= max(asked or 0, interval * (1 - JITTER))
    patience.reset()
    assert patience.pause() <= interval * (1 + JITTER)


def test_waits_that_began_together_drift_apart() -> None:
    patience = Patience(10.0)
    assert len({patience.pause() for _ in range(50)}) > 40


def test_what_was_forgiven_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    Patience(1.0).forgive(VendorUnavailableError("The vendor is out.", vendor="proofy"))
    assert "Look 1 of 5 failed" in caplog.text
    assert "The vendor is out." in caplog.text
