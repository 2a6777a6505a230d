"""Format of a trigger's event and of a job in XCom: written and read here alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from airflow_provider_batchdl._redaction.redactor import excerpt, redact_value
from airflow_provider_batchdl._values.storable import bounded_text, storable
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job

# UTF-8 bytes of JSON that a job's files take in XCom or in an event. The rest is left out, and counted: a download asks
# the vendor for them anyway.
LARGEST_FILES = 16 * 1024


def is_event_of(event: object, wait: Mapping[str, Any]) -> bool:
    """True if an event is from the trigger made with the arguments ``wait``."""
    if not isinstance(event, Mapping) or event.get("job_id") != storable(wait["job_id"]):
        return False
    # Ids are the vendor's, and the time that is up may be that of another wait for the same job.
    facts = ("conn_id", "deadline") if event.get("status") == "timeout" else ("conn_id",)
    return all(event.get(fact, wait[fact]) == wait[fact] for fact in facts)


def job_to_event(job: Job) -> dict[str, Any]:
    """The job as it may lie in XCom and in an event: storable, small, and with no secret in the vendor's words.

    Of very many files it has the first, and in ``files_omitted`` how many more there are. A file's id may be a signed
    URL, and is masked then: who downloads asks for the job again, and has it from there.
    """
    facts = {**redact_value(job.to_dict()), "id": job.id}
    facts["message"] = bounded_text(facts["message"]) if job.message else job.message
    ends = accumulate(len(json.dumps(file, ensure_ascii=False).encode()) for file in facts["files"])
    fitting = max(1, sum(end <= LARGEST_FILES for end in ends))
    if fitting < len(job.files):
        facts |= {"files": facts["files"][:fitting], "files_omitted": len(job.files) - fitting}
    return facts


def ended_job(event: dict[str, Any]) -> Job | None:
    """The job that a trigger's event reports, None where the trigger timed out."""
    status, error = event.get("status"), None
    try:
        if status == "timeout":
            return None
        if status == "ended":
            return Job.from_dict(event["job"])
        if status == "error":
            error = BatchDlError.from_dict(event["error"])
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise error or UnexpectedResponseError(
        f"The trigger's event, of status {excerpt(repr(status), 40)}, cannot be read.",
        job_id=event.get("job_id"),
        remedy="Retry the task, and run the same version of this package on workers and triggerers.",
    )
