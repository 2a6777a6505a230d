"""Threads that fetch the ranges of one file, each over its own connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client.throttle import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import BatchDlError, RateLimitedError, VendorUnavailableError
from airflow_provider_batchdl.transfer.parallel.plan import Plan, Span
from airflow_provider_batchdl.transfer.parallel.scaling import ConnectionScaler
from airflow_provider_batchdl.transfer.reorder_buffer import ReorderBuffer
from airflow_provider_batchdl.transfer.source.head import Identity
from airflow_provider_batchdl.transfer.source.range_client import RangeClient
from airflow_provider_batchdl.transfer.source.retry_budget import TRY_AGAIN, RetryBudget
from airflow_provider_batchdl.transfer.source.stream import InterruptedTransferError, ResultStream

log = get_logger(__name__)

_REFUSALS = (RateLimitedError, VendorUnavailableError)
_TICK = 0.05
_JOIN_SECONDS = 10.0


class _SurplusError(Exception):
    """This connection is one too many: it ends, and is no longer counted."""


@dataclass
class TransferStats:
    """Statistics of a transfer."""

    resumed: int = 0
    restarted: int = 0
    connections: int = 1


@dataclass(eq=False)
class ParallelFetch:
    """Fetch the ranges of a plan over several connections, and yield the file's bytes in order.

    Every connection retries on its own. A response that refuses the range, or shows that the file has changed, ends all
    of them. All threads have ended when `close` returns.
    """

    range_client: RangeClient
    identity: Identity  # with the file's size and a strong validator
    plan: Plan
    buffer: ReorderBuffer
    scaler: ConnectionScaler
    stats: TransferStats
    _threads: list[threading.Thread] = field(default_factory=list, init=False)
    _working: int = field(default=0, init=False)
    _streams: set[ResultStream] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)
    _error: BaseException | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)  # a Retry-After of one connection holds for all

    def chunks(self, first: ResultStream | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes after the plan's prefix, each chunk with its offset; ``first`` is an open stream from there.

        Raises what ended the transfer; what arrived is in the reorder buffer.
        """
        at = self.plan.prefix
        self._start(first)
        while at < self.plan.total:
            end = self._wait(beyond=at)
            for chunk in self.buffer.take(at, end):
                yield at, chunk
                at += len(chunk)
                self.plan.took(at)

    def close(self) -> None:
        """End all connections and their threads."""
        self._ended.set()
        self.plan.stop()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.interrupt()
        deadline = monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            log.warning("A connection did not close within %.0f s; leaving its thread behind", _JOIN_SECONDS)
        else:
            self.buffer.close()

    def _wait(self, *, beyond: int) -> int:
        """Wait for bytes after ``beyond``; return the end of those that are present."""
        while True:
            with self.plan.changed:
                if self._error is not None:
                    raise self._error
                if (end := self.plan.prefix) > beyond:
                    return end
                self.plan.changed.wait(_TICK)
            self._steer()

    def _steer(self) -> None:
        wanted = self.scaler.observe(monotonic(), self.plan.arrived, self.plan.delivering)
        with self._lock:
            missing = wanted - self._working
        # At least one: a range may have been given back after the other threads had found nothing to do.
        for _ in range(missing if self.plan.active else 1):
            self._start()

    def _start(self, first: ResultStream | None = None) -> None:
        span = self.plan.take(wait=False)
        if span is None:
            return
        with self._lock:
            self._working += 1
            self.stats.connections = max(self.stats.connections, self._working)
        thread = threading.Thread(target=self._work, args=(span, first), name="batchdl-part", daemon=True)
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
        thread.start()

    def _work(self, span: Span | None, stream: ResultStream | None) -> None:
        try:
            while span is not None:
                try:
                    self._fetch(span, stream)
                finally:
                    self.plan.leave(span)
                if self._is_surplus(self.scaler.wanted):
                    return
                stream, span = None, self.plan.take()
            self._is_surplus(0)
        except _SurplusError:
            pass
        except BaseException as error:  # noqa: BLE001  re-raised where the bytes are read
            with self.plan.changed:
                self._error = self._error or error
                self.plan.changed.notify_all()

    def _is_surplus(self, wanted: int) -> bool:
        """True if there are more threads than ``wanted``; then this one no longer counts, and must end."""
        with self._lock:
            surplus = self._working > wanted
            self._working -= surplus
            return surplus

    def _fetch(self, span: Span, first: ResultStream | None) -> None:
        """Fetch ``span``, by the open stream first; only a part of it where there is one connection too many."""

        def attempt() -> None:
            nonlocal first
            if span.at >= span.end or self._ended.is_set():
                return
            stream, end = first, self.plan.total if first else span.end
            first = None
            try:
                self._drain(span, stream or self._open(span), end)
            except TRY_AGAIN:
                if not self._ended.is_set():
                    raise

        def log_retry(error: BatchDlError, wait: float) -> None:
            self.stats.resumed += 1
            log.info("A connection was interrupted at byte %d (%s); resuming in %.1f s", span.at, error.message, wait)

        RetryBudget(self.range_client.vendor, span.at).run(attempt, lambda: span.at, log_retry, self._ended.wait)

    def _open(self, span: Span) -> ResultStream:
        """Open the rest of ``span``; end this connection where the server accepts no more of them and others exist."""
        self._ended.wait(max(0.0, self._not_before - monotonic()))
        try:
            return self.range_client.open_part(span.at, span.end, self.identity)
        except TRY_AGAIN as error:
            self._not_before = max(self._not_before, monotonic() + min(error.retry_after or 0.0, LONGEST_WAIT))
            if isinstance(error, _REFUSALS) and self._is_surplus(1):
                self.scaler.cap(self._working)
                log.info("The server refused another connection (%s); continuing with %d", error.message, self._working)
                raise _SurplusError from None
            raise

    def _drain(self, span: Span, stream: ResultStream, end: int) -> None:
        """Write the bytes of ``stream``, which ends at ``end``; fewer where there is one connection too many."""
        with self._lock:
            self._streams.add(stream)
        try:
            # One more read finds the end of the response, so that its connection can be reused.
            for chunk in stream.chunks(lambda: span.end - span.at + (span.end == end)):
                count = self.plan.claim(span, len(chunk))
                if count:
                    self.buffer.put(span.at, chunk if count == len(chunk) else memoryview(chunk)[:count])
                    self.plan.put(span, count)
                if self._ended.is_set():
                    return
                if self._is_surplus(self.scaler.wanted):
                    raise _SurplusError
                if count < len(chunk):
                    break  # the rest was assigned to another connection
        finally:
            with self._lock:
                self._streams.discard(stream)
            stream.close()
        if span.at < span.end:
            raise InterruptedTransferError(f"A range response ended {span.end - span.at} bytes early.")
