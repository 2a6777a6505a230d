"""What goes to Airflow's own metrics (StatsD, Datadog, OpenTelemetry), tagged with the vendor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, Landing


def count_landing(landing: Landing) -> None:
    """A download has ended well.

    Args:
        landing: what it left.
    """
    stats, tags = _stats(), {"vendor": landing.vendor}
    stats.incr("batchdl.downloads", tags=tags)
    stats.incr("batchdl.download.files", len(landing.files), tags=tags)
    stats.incr("batchdl.download.bytes", landing.bytes, tags=tags)
    stats.incr("batchdl.download.resumed", landing.resumed, tags=tags)
    stats.incr("batchdl.download.restarted", landing.restarted, tags=tags)
    stats.timing("batchdl.download.duration", timedelta(seconds=landing.seconds), tags=tags)


def count_end(vendor: str, job: Job) -> None:
    """A task has looked at a job, which may have ended.

    Args:
        vendor: the vendor's name.
        job: as the vendor describes it.
    """
    if job.state.is_terminal:
        _stats().incr("batchdl.jobs", tags={"vendor": vendor, "state": job.state.value})


def _stats() -> Any:
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats  # type: ignore[assignment,unused-ignore]
    return Stats
