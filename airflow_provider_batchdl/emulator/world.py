"""Everything the emulator remembers: jobs, accounts, limits, faults and the log."""

from __future__ import annotations

import hashlib
import heapq
import string
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from airflow_provider_batchdl.emulator.accounts import Accounts
from airflow_provider_batchdl.emulator.clock import Clock
from airflow_provider_batchdl.emulator.faults import FaultBook
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from airflow_provider_batchdl.emulator.limits import Limit, Verdict
from airflow_provider_batchdl.emulator.links import LinkBook
from airflow_provider_batchdl.emulator.records import RequestLog
from airflow_provider_batchdl.emulator.results import Upload
from airflow_provider_batchdl.emulator.states import CONCURRENCY, VENDORS, Phase
from airflow_provider_batchdl.emulator.synthetic import ResultSpec

_BASE36 = string.digits + string.ascii_lowercase

ErrorShape = Literal["detail", "dict", "message", "sentence", "problem"]


@dataclass(eq=False)
class World:
    """The state behind the HTTP surface. Safe to use from the server's thread and from tests at once."""

    clock: Clock
    seed: int = 0
    queue_seconds: float = 0.3
    run_seconds: float = 0.7
    rate_limits: bool = True
    link_seconds: float | None = None
    bytes_per_second: int | None = None
    revenuebase_v1: bool = True
    revenuebase_errors: ErrorShape = "detail"
    origin: str = "http://127.0.0.1"
    store_url: str = "http://127.0.0.1"
    faults: FaultBook = field(default_factory=FaultBook)
    log: RequestLog = field(default_factory=RequestLog)

    def __post_init__(self) -> None:
        """Set up the seed state."""
        self.lock = threading.RLock()
        self._spool: tempfile.TemporaryDirectory[str] | None = None
        self._spooled = 0
        self.reset()

    def reset(self) -> None:
        """Go back to the seed state: no jobs, faults, records or used-up limits; first credentials and credits."""
        with self.lock:
            self.accounts = Accounts(self.seed)
            self.links = LinkBook(self.seed, self.clock)
            self._jobs: dict[str, list[EmulatedJob]] = {vendor: [] for vendor in VENDORS}
            self._by_id: dict[tuple[str, str], EmulatedJob] = {}
            self._limits: dict[tuple[str, str], Limit] = {}
            self.results: dict[str, ResultSpec] = {}
            self.uploads: dict[tuple[str, str], Upload] = {}
            self._serial = 0
            self.faults.clear()
            self.log.clear()

    def close(self) -> None:
        """Remove the spooled files."""
        with self.lock:
            if self._spool:
                self._spool.cleanup()
                self._spool = None

    # --- ids and files

    def spool_path(self) -> Path:
        """Return the path of a new temporary file."""
        with self.lock:
            self._spooled += 1
            self._spool = self._spool or tempfile.TemporaryDirectory(prefix="batchdl-emulator-")
            return Path(self._spool.name) / f"{self._spooled:08d}"

    def new_id(self, vendor: str) -> str:
        """Return a fresh id in the vendor's form; the n-th id of a seed is always the same."""
        with self.lock:
            self._serial += 1
            digest = hashlib.sha256(f"{self.seed}:{vendor}:{self._serial}".encode()).hexdigest()
            return job_id(vendor, self._serial, digest)

    # --- jobs

    def add_job(self, vendor: str, **fields: Any) -> EmulatedJob:
        """Create a job that was submitted just now."""
        with self.lock:
            job = EmulatedJob(fields.pop("id", None) or self.new_id(vendor), vendor, self.clock.time(), self, **fields)
            job.result = job.result or self.results.get(vendor)
            self._jobs[vendor].append(job)
            self._by_id[vendor, job.id] = job
            return job

    def jobs(self, vendor: str) -> list[EmulatedJob]:
        """Return a vendor's jobs, oldest first."""
        with self.lock:
            return list(self._jobs[vendor])

    def job(self, vendor: str, job_id: str) -> EmulatedJob | None:
        """Return a job by id."""
        return self._by_id.get((vendor, job_id))

    def start_of(self, job: EmulatedJob) -> float:
        """Return the Unix time at which a job leaves the queue, behind the vendor's limit of jobs at a time."""
        slots = CONCURRENCY.get(job.vendor)
        earliest = job.submitted_at + self.queue_seconds
        if slots is None:
            return earliest
        with self.lock:
            ends = [0.0] * slots
            for other in self._jobs[job.vendor]:
                start = max(other.submitted_at + self.queue_seconds, heapq.heappop(ends))
                if other is job:
                    return start
                heapq.heappush(ends, other.end_if_started(start))
        return earliest

    # --- money and limits

    def settle(self, vendor: str) -> int:
        """Charge the vendor's ended jobs and return the credits left."""
        with self.lock:
            for job in self._jobs[vendor]:
                if not job.charged and job.phase.is_terminal:
                    job.charged = True
                    share = job.share if job.phase is not Phase.FAILED else 0.0
                    self.accounts.credits[vendor] = max(0, self.accounts.credits[vendor] - int(job.cost * share))
            return self.accounts.credits[vendor]

    def take(self, name: str, key: str, make: Callable[[], Limit]) -> Verdict:
        """Count one request against a key's limit, made by ``make`` on first sight; pass it where limits are off."""
        with self.lock:
            verdict = self._limits.setdefault((name, key), make()).take(self.clock.time())
            return verdict if self.rate_limits else replace(verdict, allowed=True)


def job_id(vendor: str, serial: int, digest: str) -> str:
    """Return the id of an account's next job, in the vendor's form.

    Args:
        vendor: vendor name.
        serial: number of the job, from 1.
        digest: hexadecimal text that differs for each job.
    """
    number = int(digest, 16)
    match vendor:
        case "revenuebase" | "neverbounce":
            return str(41_000 + serial)
        case "batchcom":
            return f"export_{digest[:32]}"
        case "openai_batch":
            return f"batch_{digest[:32]}"
        case "salesforce_bulk_query":  # 18 letters and digits; the prefix is that of the documentation's examples
            return "750" + "".join(_BASE36[number // 36**place % 36] for place in range(15))
        case "shopify_bulk":
            return f"gid://shopify/BulkOperation/{number % 10**13:013d}"
        case _:
            return str(uuid.UUID(digest[:32], version=4))
