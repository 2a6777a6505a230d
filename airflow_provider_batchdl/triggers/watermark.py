"""Which jobs have newly succeeded, remembered in little space. No requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.listing import ListedJob
from airflow_provider_batchdl.vendors.matching import parse_time

# A job may show in the vendor's list so much later than others that were made after it.
MARGIN = timedelta(hours=1)
# Vendors' clocks and ours differ by less. A job dated later was not made then, nor one dated before any such API was.
AHEAD = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def believable(created: datetime | None, now: datetime) -> datetime | None:
    """When a job was made, if the vendor says so and it can be true; without a zone it is UTC."""
    if created is None:
        return None
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    try:
        return created.astimezone(UTC) if EARLIEST <= created <= now + AHEAD else None
    except OverflowError:
        return None


@dataclass
class Watermark:
    """What an account's jobs were like at the last look.

    Jobs end in another order than they were made in, so no single time tells which are known. This remembers up to
    when jobs were made that are known to have ended, but for some that had not, and the few that were made since. A job
    with a date that cannot be true is remembered by its id, as one without.

    Args:
        horizon: jobs made before it have ended, or are in ``active``; None where the vendor tells no times.
        active: jobs made before ``horizon`` that had not ended; of a list of active jobs, all.
        ended: jobs made since ``horizon`` that had ended.
        astray: ``horizon`` was none that can be true, as an older version took it from a job dated 2100: what has ended
            by the next look, and was not ``active``, has to count as known.
    """

    horizon: datetime | None = None
    active: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    astray: bool = False

    def news(self, listed: Iterable[ListedJob], now: datetime | None = None) -> list[Job]:
        """The jobs that have succeeded since the last look (at the first one: all).

        Args:
            listed: all jobs.
            now: the time, by which dates are believed or not; the clock's where left out.
        """
        now = now or datetime.now(UTC)
        listed = [ListedJob(each.job, believable(each.created, now)) for each in listed]
        fresh = [each.job for each in listed if each.job.state.is_terminal and not self._known(each)]
        self._remember(listed)
        self.astray = False
        return [job for job in fresh if job.state is JobState.SUCCEEDED]

    def departed(self, listed: Iterable[ListedJob]) -> set[str]:
        """The jobs that have left a list of active jobs since the last look; each stays one until it has :meth:`left`.

        Jobs that came are remembered.
        """
        ids = {each.job.id for each in listed}
        gone = self.active - ids
        self.active |= ids
        return gone

    def left(self, job_id: str) -> None:
        """A departed job has ended, or is gone."""
        self.active.discard(job_id)

    def to_dict(self) -> dict[str, Any]:
        """The watermark as plain JSON."""
        horizon = self.horizon.isoformat() if self.horizon else None
        return {"horizon": horizon, "active": sorted(self.active), "ended": sorted(self.ended)}

    @classmethod
    def from_dict(cls, data: dict[str, Any], now: datetime | None = None) -> Watermark:
        """The watermark that :meth:`to_dict` described, ``astray`` where its horizon cannot be true at ``now``."""
        said = data.get("horizon")
        horizon = believable(parse_time(said), now or datetime.now(UTC)) if said else None
        return cls(horizon, set(data.get("active", ())), set(data.get("ended", ())), bool(said) and horizon is None)

    def _known(self, each: ListedJob) -> bool:
        if each.job.id in self.active:
            return False
        return self.astray or each.job.id in self.ended or self._before_horizon(each)

    def _before_horizon(self, each: ListedJob) -> bool:
        return self.horizon is not None and each.created is not None and each.created < self.horizon

    def _remember(self, listed: list[ListedJob]) -> None:
        made = [each.created for each in listed if each.created is not None]
        if made:
            latest = max(made) - MARGIN
            self.horizon = max(self.horizon, latest) if self.horizon else latest
        self.active = {each.job.id for each in listed if not each.job.state.is_terminal and self._before_horizon(each)}
        self.ended = {each.job.id for each in listed if each.job.state.is_terminal and not self._before_horizon(each)}
