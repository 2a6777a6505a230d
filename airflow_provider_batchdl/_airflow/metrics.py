"""Metrics sent through Airflow (StatsD, Datadog, OpenTelemetry), tagged with the vendor."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_batchdl._airflow.compat import stats_client

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.client.retry_events import Retry
    from airflow_provider_batchdl.jobs import Landing

_unsent: deque[Callable[[], object]] = deque()
_sending = threading.Lock()


def count_landing(landing: Landing) -> None:
    """Count a download that succeeded."""
    stats, tags = stats_client(), {"vendor": landing.vendor}
    stats.incr("batchdl.downloads", tags=tags)
    stats.incr("batchdl.download.files", len(landing.files), tags=tags)
    stats.incr("batchdl.download.bytes", landing.bytes, tags=tags)
    stats.incr("batchdl.download.resumed", landing.resumed, tags=tags)
    stats.incr("batchdl.download.restarted", landing.restarted, tags=tags)
    stats.timing("batchdl.download.duration", timedelta(seconds=landing.seconds), tags=tags)


def count_resume(what: str, context: Context) -> None:
    """Count a decision about an earlier try's job by the name and tags of Airflow's own operators (3.4 and later)."""
    tags = {"operator": type(context["task"]).__name__}
    if team := (getattr(context["ti"], "stats_tags", None) or {}).get("team_name"):
        tags["team_name"] = team
    count(f"resumable_job.{what}", **tags)


def count_retry(retry: Retry) -> None:
    """Count a retry of a request or a download."""
    count("batchdl.retries", vendor=retry.vendor, operation=retry.operation, reason=retry.reason)


def count_shared_polls(
    vendor: str, *, polls: Mapping[str, int], lags: Sequence[float], unseen: Sequence[float], waiting: int
) -> None:
    """Send the poll metrics of a triggerer's shared loop since it last sent them.

    Seconds: ``lags``, of each poll how much later than due its response arrived; ``unseen``, of each job that ended the
    time since the previous poll.
    """

    def send() -> None:
        from airflow.utils.net import get_hostname  # as Airflow tags its own triggers.running

        hostname = get_hostname()  # type: ignore[no-untyped-call]
        stats, tags = stats_client(), {"vendor": vendor}
        for kind, count in polls.items():
            stats.incr("batchdl.polls", count, tags={**tags, "kind": kind})
        for name, durations in (("batchdl.poll.lag", lags), ("batchdl.poll.unseen", unseen)):
            for seconds in durations:
                stats.timing(name, timedelta(seconds=seconds), tags=tags)
        stats.gauge("batchdl.waits", waiting, tags={**tags, "hostname": hostname})

    _send(send)


def count_retries() -> None:
    """Count the retries of the layers without Airflow from now on."""
    from airflow_provider_batchdl.client import retry_events

    if count_retry not in retry_events.on_retry:
        retry_events.on_retry.append(count_retry)


def count(name: str, **tags: str) -> None:
    """Count something that happened."""
    stats = stats_client()
    _send(partial(stats.incr, name, tags=tags))


def _send(action: Callable[[], object]) -> None:
    """Run an action here, or in a thread if an event loop runs: resolving a StatsD host may take long."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        action()
    else:
        _unsent.append(action)
        loop.run_in_executor(None, _send_all)


def _send_all() -> None:
    """Run the actions in order, in whichever thread is first: a gauge must not overtake the previous one."""
    with _sending:
        while _unsent:
            _unsent.popleft()()
