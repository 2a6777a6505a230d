"""Digests of a submit's input by part, so that a retry with another input can say what changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._values.inputs import parse_file, parse_request
from airflow_provider_batchdl._values.times import moment_of, rfc3339
from airflow_provider_batchdl.exceptions import InputChangedError
from airflow_provider_batchdl.vendors.dates import written

if TYPE_CHECKING:
    from airflow_provider_batchdl._tasks.job_record import JobRecord
    from airflow_provider_batchdl.hooks.base import BatchApiHook
    from airflow_provider_batchdl.vendors.base import Vendor

# The record is small; a request of more members is compared as a whole.
MOST_MEMBERS = 100
LONGEST_NAME = 80
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d")
_FILE, _CONTENT = "the file's name", "the file's content"


def given_input(vendor: Vendor, request: Any, file: Any) -> tuple[dict[str, Any], str | None]:
    """A task's request and file as they are submitted: dates in the vendor's notation."""
    return written(vendor, parse_request(request)), parse_file(file)


def fingerprint(request: Mapping[str, Any], file: str | None, key: str) -> dict[str, str]:
    """Digests of each top-level member of the request, and of the file.

    Lists count as equal in any order: they may be rendered from a set. A file that cannot be read (it may be gone once
    it is submitted) has no digest of its content. By ``key``, digests of equal values differ between submissions.
    """
    from airflow_provider_batchdl.hooks._files import content_identity

    parts = {f"the request's {str(name)[:LONGEST_NAME]!r}": value for name, value in request.items()}
    if len(parts) > MOST_MEMBERS:
        parts = {"the request": dict(request)}
    digests = {name: _digest(value, key) for name, value in parts.items()}
    if file is not None:
        digests[_FILE] = _digest(str(file), key)
        content = content_identity(str(file))
        if content is not None:
            digests[_CONTENT] = _digest(content, key)
    return digests


def changed(before: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """Names of the parts that are known to differ; none if nothing is known of the previous input."""
    if before is None:
        return []
    names = [*now, *(name for name in before if name not in now)]
    different = [name for name in names if name != _CONTENT and before.get(name) != now.get(name)]
    if _FILE not in different and _CONTENT in before and _CONTENT in now and before[_CONTENT] != now[_CONTENT]:
        different.append(_CONTENT)
    return different


def input_changed(vendor: str, record: JobRecord, what: str) -> InputChangedError:
    """The error for a retry with another input; ``what`` names the parts, or the account."""
    lost = f"started a submit at {record.submitted_at} that got no response"
    did = f"submitted job {record.job_id}" if record.job_id else lost
    return InputChangedError(
        f"An earlier try of this task {did}; since then, {what} changed. Values that differ with each try, like "
        "ti.try_number or the time of day, must not be part of the request.",
        vendor=vendor,
        job_id=record.job_id,
    )


def account_changed(hook: BatchApiHook, record: JobRecord) -> InputChangedError:
    """The error for a try with another account than its job's."""
    what = f"the account (connection {record.conn_id!r} then, {hook.conn_id!r} now)"
    return input_changed(hook.vendor.name, record, what)


def _digest(value: Any, key: str) -> str:
    return hashlib.blake2b(
        _canonical(value).encode(errors="surrogatepass"), key=key.encode(), digest_size=12
    ).hexdigest()


def _canonical(value: Any) -> str:
    """``value`` as text; equal for equal values, such as one moment in two notations."""
    if isinstance(value, str) and _TIMESTAMP.match(value) and (moment := moment_of(value, zone=None)):
        return json.dumps(rfc3339(moment).removesuffix("T00:00:00Z"))
    if isinstance(value, Mapping):
        return (
            "{" + ",".join(sorted(f"{json.dumps(str(name))}:{_canonical(each)}" for name, each in value.items())) + "}"
        )
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    return json.dumps(value, default=str)
