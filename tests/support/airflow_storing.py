"""What becomes of a trigger's event on its way into Airflow's database, without a triggerer and without a database."""

from __future__ import annotations

import json
import re
from typing import Any

from airflow.jobs.triggerer_job_runner import messages
from airflow.sdk.execution_time.comms import _RequestFrame
from airflow.triggers.base import TriggerEvent

try:
    from airflow.jobs.triggerer_job_runner import TriggerEventEntry
except ImportError:  # before Airflow 3.3
    TriggerEventEntry = None  # type: ignore[assignment, misc]


def assert_storable(value: Any) -> None:
    """UTF-8 JSON of the kind that PostgreSQL's ``jsonb`` takes, and the same again when it is read."""
    text = json.dumps(value, allow_nan=False)
    assert not re.search(r"(?<!\\)(\\\\)*\\u0000", text)  # escaped, and not the words of an escape
    assert json.loads(text) == value
    json.dumps(value, ensure_ascii=False).encode()


def sent_to_supervisor(payload: Any) -> int:
    """The bytes of the message by which a triggerer's runner reports an event; what it raises ends the runner."""
    event: Any = TriggerEvent(payload)  # type: ignore[no-untyped-call]
    entry: Any = (1, event) if TriggerEventEntry is None else TriggerEventEntry(1, event, None)
    message = messages.TriggerStateChanges(events=[entry], finished=[1])
    return len(_RequestFrame(id=1, body=message.model_dump()).as_bytes())
