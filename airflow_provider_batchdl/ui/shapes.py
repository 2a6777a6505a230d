"""Shapes of the values that tasks leave: their members by name and type, redacted; all else is left out.

Any task can push an XCom of our names, and one of a later version of this package may have members that this one does
not know. Neither may keep a page from being shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl._redaction.redactor import beginning
from airflow_provider_batchdl._values.storable import bounded_text, storable_number

Read = Callable[[Any], Any]
# Items of a list that are read; the task's return value has all.
MOST_ITEMS = 200


def text(value: Any) -> str | None:
    """A text, redacted, bounded and without half characters; None for anything else."""
    return bounded_text(beginning(value)) if isinstance(value, str) else None


def number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    return None if isinstance(value, bool) else storable_number(value)


def listed(read: Read) -> Read:
    """Reads a list whose items are read by ``read``; those of another type are left out."""

    def items(value: Any) -> list[Any] | None:
        if not isinstance(value, list):
            return None
        return [item for item in map(read, value[:MOST_ITEMS]) if item is not None and item != {}]

    return items


def shape(**members: Read) -> Callable[[Any], dict[str, Any]]:
    """Reads an object with these members; one that is missing or has another type is left out."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            return {}
        found = {name: member(value.get(name)) for name, member in members.items()}
        return {name: each for name, each in found.items() if each is not None and each != {}}

    return read


ERROR = shape(
    type=text, message=text, vendor_message=text, vendor_code=text, remedy=text, status=number
)  # as `BatchDlError.to_dict`
NOTE = shape(  # see `_airflow/job_note.py`
    vendor=text,
    conn_id=text,
    job_id=text,
    state=text,
    vendor_state=text,
    message=text,
    name=text,
    progress=number,
    records=number,
    error=ERROR,
    landed=shape(bytes=number, rows=number, files=number, destination=text),
)
LANDING = shape(  # `Landing`, as a task returns it
    job_id=text,
    vendor=text,
    bytes=number,
    seconds=number,
    resumed=number,
    restarted=number,
    verified_by=listed(text),
    files=listed(shape(uri=text, kind=text, bytes=number, rows=number, sha256=text)),
)
RECORD = shape(submitted_at=text, job_id=text, known_job_ids=listed(text))  # see `_tasks/job_record.py`
WAIT = shape(  # arguments of `BatchJobTrigger`
    conn_id=text, job_id=text, poll_interval=number, max_poll_interval=number, deadline=number
)
POLL = shape(  # what a poll saw, see `triggers/poll_notes.py`
    conn_id=text,
    polled_at=text,
    next_poll_at=text,
    state=text,
    vendor_state=text,
    message=text,
    progress=number,
    records=number,
    poller=text,
    requests=listed(shape(requests=number, limit=number, seconds=number)),
)
