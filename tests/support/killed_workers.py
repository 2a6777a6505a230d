"""Workers that are killed around a submit, in effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_batchdl._tasks import job_record, submit_once
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_jobs import STORED


def crash_after_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process, in effect, between the vendor's answer and Airflow's knowledge of it, once."""
    real, crashes = job_record.RecordStore.save, [1]

    def save(self: job_record.RecordStore, state: Any, **how: Any) -> None:
        if state.job_id and crashes:
            crashes.pop()
            raise MemoryError("killed")
        real(self, state, **how)

    monkeypatch.setattr(job_record.RecordStore, "save", save)


def die_at_submit(api: ExecutionApi, make: Callable[[], Any], **how: Any) -> None:
    """The worker dies when it has noted what it is about to send, and before the vendor has heard of it."""
    with pytest.MonkeyPatch.context() as patch:
        noted = submit_once.SubmitOnce.sending

        def killed(journal: submit_once.SubmitOnce) -> None:
            noted(journal)
            raise MemoryError("killed")

        patch.setattr(submit_once.SubmitOnce, "sending", killed)
        assert api.run(make, **how).kind == ("up_for_retry", "MemoryError")
    assert api.store[STORED]["job_id"] is None
