"""Names of the vendors' result files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl.emulator.synthetic import ResultSpec

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.jobs import EmulatedJob


def result_names(job: EmulatedJob, format: str | None = None) -> dict[int, str]:
    """Return the file name of each part.

    Revenuebase's download carries the uploaded file's name (vendor's documentation). The others' names are not
    documented; these are inferences.

    Args:
        job: the job.
        format: file format where the job's own result doesn't say.
    """
    spec = job.result or ResultSpec(format=format)
    suffix = spec.format_for(job.vendor)
    if job.vendor == "revenuebase":
        return {1: job.filename or f"batch_{job.id}.{suffix}"}
    if job.vendor == "batchcom":
        # The documentation calls the export a JSON file; one object per line is an inference, the suffix follows it.
        return {part: f"{job.id}-part-{part}.{suffix}" for part in range(1, spec.parts + 1)}
    stem = job.id.rpartition("/")[2]  # Shopify's ids are paths
    return dict.fromkeys(range(1, spec.parts + 1), f"{stem}.{suffix}")
