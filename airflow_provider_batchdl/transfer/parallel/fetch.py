"""Several connections for one file, where a single one does not fill the pipe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic

from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import BatchDlError, RateLimitedError, VendorUnavailableError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.budget import TRY_AGAIN, RetryBudget
from airflow_provider_batchdl.transfer.identity import Identity
from airflow_provider_batchdl.transfer.opener import Opener
from airflow_provider_batchdl.transfer.parallel.growth import Growth
from airflow_provider_batchdl.transfer.parallel.plan import Plan, Span
from airflow_provider_batchdl.transfer.parallel.shelf import Shelf
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError, ResultStream

log = get_logger(__name__)

_REFUSALS = (RateLimitedError, VendorUnavailableError)
_TICK = 0.05
_JOIN_SECONDS = 10.0


class ParallelFetch:
    """Fetches the parts of one file that a plan names, and gives the file's bytes in their order.

    Every connection retries on its own. What says that the server does not serve these parts (any more), or that the
    file is another now, ends all of them. All threads have ended when `close` returns.

    Args:
        opener: opens the parts.
        identity: the file, with its size and a strong validator.
        plan: what is missing.
        shelf: where the bytes wait to be read.
        growth: says how many connections there should be.
    """

    def __init__(self, opener: Opener, identity: Identity, plan: Plan, shelf: Shelf, growth: Growth) -> None:
        self._opener = opener
        self._identity = identity
        self._plan = plan
        self._shelf = shelf
        self._growth = growth
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._gone: set[threading.Thread] = set()
        self._streams: set[ResultStream] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._not_before = 0.0  # what a server asks one connection to wait, it asks all
        self.broken = 0
        """How often a connection broke and went on."""
        self.most = 1
        """The most connections there were at once."""

    def chunks(self, first: ResultStream | None = None) -> Iterator[tuple[int, bytes]]:
        """The bytes after the plan's prefix, with where each chunk begins.

        Args:
            first: an open stream that begins there.

        Raises:
            BatchDlError: what ended the transfer; what had come is in the shelf.
        """
        at = self._plan.prefix
        self._start(first)
        while at < self._plan.total:
            end = self._wait(beyond=at)
            for chunk in self._shelf.take(at, end):
                yield at, chunk
                at += len(chunk)
                self._plan.took(at)

    def close(self) -> None:
        """End all connections and their threads."""
        self._ended.set()
        self._plan.stop()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.interrupt()
        deadline = monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            log.warning("A connection could not be ended; its thread is left behind.")
        else:
            self._shelf.close()

    def _wait(self, *, beyond: int) -> int:
        """Where the bytes end that follow ``beyond`` and are here; at least one."""
        while True:
            with self._plan.changed:
                if self._error is not None:
                    raise self._error
                if (end := self._plan.prefix) > beyond:
                    return end
                self._plan.changed.wait(_TICK)
            self._steer()

    def _steer(self) -> None:
        wanted = self._growth.observe(monotonic(), self._plan.arrived, self._plan.delivering)
        with self._lock:
            missing = wanted - self._working
        # One at least: what a connection gave back may have come after the others had found nothing to do.
        for _ in range(missing if self._plan.active else 1):
            self._start()

    def _start(self, first: ResultStream | None = None) -> None:
        span = self._plan.take(wait=False)
        if span is None:
            return
        with self._lock:
            self._working += 1
            self.most = max(self.most, self._working)
        thread = threading.Thread(target=self._work, args=(span, first), name="batchdl-part", daemon=True)
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
        thread.start()

    def _work(self, span: Span | None, stream: ResultStream | None) -> None:
        try:
            while span is not None:
                try:
                    self._fetch(span, stream)
                finally:
                    self._plan.leave(span)
                stream = None
                gone = threading.current_thread() in self._gone or self._let_go(self._growth.wanted)
                span = None if gone else self._plan.take()
        except BaseException as error:  # noqa: BLE001  raised again where the bytes are read
            self._fail(error)
        finally:
            self._let_go(0)

    def _let_go(self, wanted: int) -> bool:
        """Whether this thread is one more than ``wanted``; it counts no longer then, and has to end."""
        with self._lock:
            if threading.current_thread() in self._gone or self._working <= wanted:
                return False
            self._gone.add(threading.current_thread())
            self._working -= 1
            return True

    def _fail(self, error: BaseException) -> None:
        with self._plan.changed:
            self._error = self._error or error
            self._plan.changed.notify_all()

    def _fetch(self, span: Span, stream: ResultStream | None) -> None:
        """Fetch ``span``, or some of it where there is one connection too many."""
        budget = RetryBudget(self._opener.vendor, span.at)
        while span.at < span.end and not self._plan.stopped:
            current, stream = stream, None
            end = self._plan.total if current else span.end
            asked = current is None
            try:
                if current is None:
                    self._ended.wait(max(0.0, self._not_before - monotonic()))
                    current = self._opener.open_part(span.at, end, self._identity)
                asked = False
                if not self._drain(span, current, end):
                    return
            except TRY_AGAIN as error:
                self._not_before = max(self._not_before, monotonic() + min(error.retry_after or 0.0, LONGEST_WAIT))
                if self._ended.is_set() or (asked and isinstance(error, _REFUSALS) and self._retire(error)):
                    return
                wait = budget.pause(error, span.at)
                self.broken += 1
                log.info("A connection broke at byte %d (%s); going on in %.1f s.", span.at, error.message, wait)
                self._ended.wait(wait)

    def _drain(self, span: Span, stream: ResultStream, end: int) -> bool:
        """Put in place what comes of ``stream``, which ends at ``end``. False where its connection is to end."""
        with self._lock:
            self._streams.add(stream)
        try:
            # One read more finds the end of an answer, and lets its connection be used again.
            for chunk in stream.chunks(lambda: span.end - span.at + (span.end == end)):
                count = self._plan.claim(span, len(chunk))
                if count:
                    self._shelf.put(span.at, chunk if count == len(chunk) else memoryview(chunk)[:count])
                    self._plan.put(span, count)
                if self._plan.stopped or self._let_go(self._growth.wanted):
                    return False
                if count < len(chunk):
                    break  # what follows has become another connection's
        finally:
            with self._lock:
                self._streams.discard(stream)
            stream.close()
        if span.at < span.end:
            raise InterruptedTransferError(f"A part ended {span.end - span.at} bytes early.")
        return True

    def _retire(self, error: BatchDlError) -> bool:
        """Whether the others can do this one's work: the server takes no more connections."""
        if not self._let_go(1):
            return False
        self._growth.cap(self._working)
        log.info("The server refuses one more connection (%s); going on with %d.", error.message, self._working)
        return True
