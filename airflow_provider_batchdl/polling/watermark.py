"""Watermark of the jobs already seen, to find those that have newly succeeded. No requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pendulum

from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.listing import ListedJob

# A job may show in the vendor's list so much later than others that were made after it.
MARGIN = timedelta(hours=1)
# Vendors' clocks and ours differ by less. A job dated later was not made then, nor one dated before any such API was.
AHEAD = timedelta(days=1)
EARLIEST = pendulum.datetime(2000, 1, 1)


def believable(created: datetime | None, now: datetime) -> datetime | None:
    """The vendor's creation time of a job if it is plausible, else None; without a zone it is UTC."""
    moment = times.moment_of(created)
    return moment if moment is not None and EARLIEST <= moment <= now + AHEAD else None


@dataclass
class Watermark:
    """State of an account's jobs at the last poll.

    Jobs end in another order than they were made in, so no single time separates known jobs from new ones. This stores
    the time up to which all jobs have ended, the exceptions that had not, and the few jobs made since. A job with an
    implausible date is stored by its id, as one without.

    Args:
        horizon: jobs made before it have ended, or are in ``active``; None where the vendor has no times.
        active: jobs made before ``horizon`` that had not ended; of a list of active jobs, all.
        ended: jobs made since ``horizon`` that had ended.
        astray: ``horizon`` was none that can be true, as an older version took it from a job dated 2100: what has ended
            by the next poll, and was not ``active``, has to count as known.
    """

    horizon: datetime | None = None
    active: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    astray: bool = False

    def news(self, listed: Iterable[ListedJob], now: datetime | None = None) -> list[Job]:
        """The jobs that have succeeded since the last poll (at the first one: all)."""
        now = now or times.now()
        listed = [ListedJob(each.job, believable(each.created, now)) for each in listed]
        fresh = [each.job for each in listed if each.job.state.is_terminal and not self._known(each)]
        self._remember(listed, now)
        self.astray = False
        return [job for job in fresh if job.state is JobState.SUCCEEDED]

    def departed(self, listed: Iterable[ListedJob]) -> set[str]:
        """The jobs that have left a list of active jobs since the last poll, each until it has :meth:`left`.

        New jobs are added.
        """
        ids = {each.job.id for each in listed}
        gone = self.active - ids
        self.active |= ids
        return gone

    def to_dict(self) -> dict[str, Any]:
        """The watermark as plain JSON."""
        horizon = self.horizon.isoformat() if self.horizon else None
        return {"horizon": horizon, "active": sorted(self.active), "ended": sorted(self.ended)}

    @classmethod
    def from_dict(cls, data: dict[str, Any], now: datetime | None = None) -> Watermark:
        """The watermark that :meth:`to_dict` described, ``astray`` where its horizon cannot be true at ``now``."""
        said = data.get("horizon")
        horizon = believable(times.moment_of(said), now or times.now()) if said else None
        return cls(horizon, set(data.get("active", ())), set(data.get("ended", ())), bool(said) and horizon is None)

    def _known(self, each: ListedJob) -> bool:
        if each.job.id in self.active:
            return False
        return self.astray or each.job.id in self.ended or self._before_horizon(each)

    def _before_horizon(self, each: ListedJob) -> bool:
        return self.horizon is not None and each.created is not None and each.created < self.horizon

    def _remember(self, listed: list[ListedJob], now: datetime) -> None:
        made = [each.created for each in listed if each.created is not None]
        if made:
            # No later than now: a job dated ahead, in a time zone that the vendor does not name, must not hide what is
            # made until then.
            latest = min(max(made), now) - MARGIN
            self.horizon = max(self.horizon, latest) if self.horizon else latest
        self.active = {each.job.id for each in listed if not each.job.state.is_terminal and self._before_horizon(each)}
        self.ended = {each.job.id for each in listed if each.job.state.is_terminal and not self._before_horizon(each)}
