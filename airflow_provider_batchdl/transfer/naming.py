"""What a result file is called: the vendor's name for it, made safe."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.filenames import safe_filename
from airflow_provider_batchdl.vendors.account import origin

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, ResultFile
    from airflow_provider_batchdl.transfer.stream import ResultStream
    from airflow_provider_batchdl.vendors.base import Vendor

# For files that come without a name.
_SUFFIXES = {
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/gzip": ".gz",
    "application/vnd.apache.parquet": ".parquet",
    "application/zip": ".zip",
    "text/csv": ".csv",
    "text/plain": ".txt",
}


def naming(vendor: Vendor, job: Job, file: ResultFile) -> Callable[[ResultStream], str]:
    """Names ``file`` by the response that brings it.

    Returns:
        A function of the response: the header's name, else the job's, else the link's, else our own. Several steps
        of a download ask; the name is worked out once for each response.
    """
    return lru_cache(maxsize=1)(lambda head: _name(head, vendor, job, file))


def _name(head: ResultStream, vendor: Vendor, job: Job, file: ResultFile) -> str:
    elsewhere = not file.name and origin(head.url) != vendor.account.origin
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    ours = f"{vendor.name}-{job.id.replace(':', '-')}{_SUFFIXES.get(media_type, '')}"
    return safe_filename(
        head.headers.get("content-disposition"), head.url if elsewhere else None, fallback=file.name or ours
    )
