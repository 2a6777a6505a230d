"""The name of a result file: the vendor's, made safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.content.formats import by_type
from airflow_provider_batchdl.transfer.source.filenames import safe_filename

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, ResultFile
    from airflow_provider_batchdl.transfer.source.stream import ResultStream
    from airflow_provider_batchdl.vendors.base import Vendor


def naming(vendor: Vendor, job: Job, file: ResultFile) -> Callable[[ResultStream], str]:
    """Names ``file`` by the response that brings it.

    Returns:
        A function of the response: the header's name, else the job's, else the link's, else our own. Several steps
        of a download ask; the name is worked out once for each response.
    """
    last: tuple[ResultStream | None, str] = None, ""

    def name_of(head: ResultStream) -> str:
        nonlocal last
        if last[0] is not head:
            last = head, _name(head, vendor, job, file)
        return last[1]

    return name_of


def _name(head: ResultStream, vendor: Vendor, job: Job, file: ResultFile) -> str:
    elsewhere = not file.name and not vendor.is_home(head.url)
    declared = by_type(head.headers.get("content-type"))
    ours = f"{vendor.name}-{job.id.replace(':', '-')}{f'.{declared.suffixes[0]}' if declared else ''}"
    return safe_filename(
        head.headers.get("content-disposition"), head.url if elsewhere else None, fallback=file.name or ours
    )
