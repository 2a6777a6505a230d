"""What a store may answer: a record, nothing, or damage that costs no second job."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._tasks.job_record import JobRecord
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import StateStoreError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.vendors.reading import as_id
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_jobs import STORED, count, work

NAMES = [field.name for field in dataclasses.fields(JobRecord)]
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RECORD = {"generation": 1, "key": "k", "submitted_at": "2026-11-30T06:00:00+00:00", "job_id": "7", "conn_id": "c"}


class Hook:
    """An account, as far as a record needs to know."""

    conn_id, account_fingerprint = "c", "f"


@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
def test_any_json_is_a_record_or_none(changes: Any) -> None:
    stored = {**RECORD, **changes} if isinstance(changes, dict) else changes
    try:
        record = JobRecord.parse(stored)
    except ValueError:
        return
    hook: Any = Hook()
    assert all(isinstance(job_id, str) for job_id in record.jobs(hook))
    assert dict(record.inputs or {}) == (record.inputs or {})
    assert isinstance(record.is_young, bool)
    assert isinstance(record.seconds_unanswered(), float)


@pytest.mark.parametrize(
    "members",
    [
        {"job_id": 129},
        {"job_id": "1\n2"},
        {"generation": "1"},
        {"submitted_at": "yesterday"},
        {"submitted_at": "2026-01-01"},
        {"known_job_ids": 3},
        {"known_job_ids": [None]},
        {"inputs": "abc"},
        {"inputs": {"file": 1}},
        {"lost_at": 5},
        {"given_up": "no"},
        {"key": None},
    ],
    ids=str,
)
def test_a_member_of_another_type_is_damage(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"member|time"):
        JobRecord.parse({**RECORD, **members})


@pytest.mark.parametrize("job_id", ["a\u00a0b", "a\u200bb", "a\u0085b", "\U0001fae9", "\u3000-7"])
def test_any_id_that_a_vendor_may_give_is_read_again(job_id: str) -> None:
    assert JobRecord.parse({**RECORD, "job_id": as_id(job_id), "known_job_ids": [job_id]}).job_id == as_id(job_id)


@needs_task_state_store
@pytest.mark.parametrize(
    "damage", ["", 0, False, [], {}, "7", [1], {"job_id": "7"}, {**RECORD, "inputs": [["a", "b"]]}]
)
def test_a_damaged_record_pays_for_nothing(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, damage: Any
) -> None:
    """Also one that is empty: nothing here writes that, and a job may have been paid for."""
    api.store[STORED] = damage
    outcome = api.run(lambda: BatchJobOperator(task_id="task", **work("apartmentiq", tmp_path), deferrable=False))
    assert outcome.state == "failed"
    assert isinstance(outcome.cause, StateStoreError)
    assert "is damaged" in str(outcome.error)
    assert count(connections, "submit") == 0
