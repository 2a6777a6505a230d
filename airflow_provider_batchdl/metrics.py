"""What goes to Airflow's own metrics (StatsD, Datadog, OpenTelemetry), tagged with the vendor."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Job, Landing
    from airflow_provider_batchdl.observers import Retry

_unsent: deque[Callable[[], object]] = deque()
_sending = threading.Lock()


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
        _count("batchdl.jobs", vendor=vendor, state=job.state.value)


def count_submit(vendor: str) -> None:
    """A vendor has taken a job and told its id."""
    _count("batchdl.submits", vendor=vendor)


def count_cancel(vendor: str) -> None:
    """A vendor has taken a request to cancel a job."""
    _count("batchdl.cancels", vendor=vendor)


def count_poll(vendor: str) -> None:
    """A vendor has answered a look at one job; the shared loop's are counted by :func:`count_watch`."""
    _count("batchdl.polls", vendor=vendor, kind="single")


def count_retry(retry: Retry) -> None:
    """A request, or a download, is about to be tried again."""
    _count("batchdl.retries", vendor=retry.vendor, operation=retry.operation, reason=retry.reason)


def count_watch(
    vendor: str, *, polls: Mapping[str, int], lags: Sequence[float], unseen: Sequence[float], waiting: int
) -> None:
    """What a triggerer's shared loop did in the last seconds.

    Args:
        vendor: the vendor's name.
        polls: answered looks, by kind.
        lags: seconds, one for each look: how much later than due its answer came.
        unseen: seconds, one for each job that ended: since the look before, which saw it unfinished.
        waiting: how many waits there are in this process, for this vendor.
    """

    def send() -> None:
        from airflow.utils.net import get_hostname  # as Airflow tags its own triggers.running

        hostname = get_hostname()  # type: ignore[no-untyped-call]
        stats, tags = _stats(), {"vendor": vendor}
        for kind, count in polls.items():
            stats.incr("batchdl.polls", count, tags={**tags, "kind": kind})
        for name, durations in (("batchdl.poll.lag", lags), ("batchdl.poll.unseen", unseen)):
            for seconds in durations:
                stats.timing(name, timedelta(seconds=seconds), tags=tags)
        stats.gauge("batchdl.waits", waiting, tags={**tags, "hostname": hostname})

    _send(send)


def count_retries() -> None:
    """From now on, count what the layers without Airflow try again."""
    from airflow_provider_batchdl import observers

    if count_retry not in observers.on_retry:
        observers.on_retry.append(count_retry)


def _count(name: str, **tags: str) -> None:
    stats = _stats()
    _send(partial(stats.incr, name, tags=tags))


def _send(action: Callable[[], object]) -> None:
    """Do it here, or, where an event loop runs, in a thread: to look up a StatsD host's address may take long."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        action()
    else:
        _unsent.append(action)
        loop.run_in_executor(None, _send_all)


def _send_all() -> None:
    """One after another, whichever thread comes first: a gauge that overtook the one before would stay wrong."""
    with _sending:
        while _unsent:
            _unsent.popleft()()


def _stats() -> Any:
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats  # type: ignore[assignment,unused-ignore]
    return Stats
