"""Ids in the path of a request."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider_batchdl._redaction.redactor import excerpt
from airflow_provider_batchdl.exceptions import InvalidRequestError

_SHOWN = 60


def path_segment(value: str) -> str:
    """An id as one segment of a path, escaped: ``f"/batches/{path_segment(job_id)}"``.

    Raises:
        InvalidRequestError: it is empty, or ``.`` or ``..``, which mean another path (RFC 3986, section 5.2.4), or
            has a lone surrogate.
    """
    try:
        if value not in ("", ".", ".."):
            return quote(value, safe="")
    except UnicodeEncodeError:
        pass
    raise InvalidRequestError(f"{excerpt(repr(value), _SHOWN)} is no id.") from None
