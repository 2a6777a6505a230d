"""Whether what a retry would submit is what was submitted: digests by part, so that an error can say what changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import InputChangedError

if TYPE_CHECKING:
    from airflow_provider_batchdl.operators.job_record import JobRecord

# The record is small; a request of more members is compared as a whole.
MOST_MEMBERS = 100
LONGEST_NAME = 80
_FILE, _CONTENT = "the file's name", "the file's content"


def fingerprint(request: Mapping[str, Any], file: str | None, key: str) -> dict[str, str]:
    """A digest of each top-level member of the request, and of the file.

    Lists count as equal in any order: what renders them may draw from a set. A file that cannot be looked at (it may
    be gone once it is submitted) has no digest of its content.

    Args:
        request: the vendor's request.
        file: path or URL of the file to upload.
        key: the submission's token, which makes digests of equal values differ from one submission to another.
    """
    from airflow_provider_batchdl.hooks.uploads import content_identity

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
    """The parts that are known to differ, in words; none where nothing is known of what was submitted before."""
    if before is None:
        return []
    names = [*now, *(name for name in before if name not in now)]
    different = [name for name in names if name != _CONTENT and before.get(name) != now.get(name)]
    if _FILE not in different and _CONTENT in before and _CONTENT in now and before[_CONTENT] != now[_CONTENT]:
        different.append(_CONTENT)
    return different


def input_changed(vendor: str, record: JobRecord, what: str) -> InputChangedError:
    """The error for a retry that would submit something else; ``what`` names the parts, or the account."""
    job = f"job {record.job_id}" if record.job_id else f"a submit at {record.submitted_at}, whose answer was lost"
    return InputChangedError(
        f"An earlier try of this task made {job}; since then, {what} changed. What differs with each try, like "
        "ti.try_number or the time of day, must not be part of what is submitted.",
        vendor=vendor,
        job_id=record.job_id,
    )


def _digest(value: Any, key: str) -> str:
    return hashlib.blake2b(
        _canonical(value).encode(errors="surrogatepass"), key=key.encode(), digest_size=12
    ).hexdigest()


def _canonical(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ",".join(sorted(f"{json.dumps(str(name))}:{_canonical(each)}" for name, each in value.items())) + "}"
        )
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    return json.dumps(value, default=str)
