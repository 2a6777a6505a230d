"""Divide a file among several connections, and reassemble its bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.parallel.fetch import ParallelFetch, TransferStats
from airflow_provider_batchdl.transfer.parallel.plan import Plan, merged
from airflow_provider_batchdl.transfer.parallel.scaling import ConnectionScaler
from airflow_provider_batchdl.transfer.progress import Progress
from airflow_provider_batchdl.transfer.reorder_buffer import MemoryReorderBuffer
from airflow_provider_batchdl.transfer.sinks.base import Sink
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.source.range_client import RangeClient
from airflow_provider_batchdl.transfer.source.stream import ResultStream

WORTH_DIVIDING = 32 << 20
"""Missing bytes below which a second connection is not worth its handshake."""
WORTH_SECONDS = 1.0
"""Seconds that a single connection needs for the missing bytes, below which a second one is not worth it."""
PIECE = 4 << 20
"""Bytes of one request where they are reordered in memory: one piece for each connection and one to spare."""
RECORD_EVERY = 16 << 20
"""Bytes after which the partial record is updated, for a next try."""


def bytes_present(sink: Sink) -> int:
    """Bytes in a sink: its first ones, and those of later intervals."""
    return sum(end - start for start, end in merged(((0, sink.written), *getattr(sink, "landed", ()))))


def worth_dividing(stream: ResultStream, left: int, rate: float) -> bool:
    """True if several connections may be faster for the ``left`` bytes of a file, and are sure to get the same file."""
    same_file = stream.identity.etag and stream.identity.total and not stream.coding
    return bool(stream.head.serves_ranges and same_file and left >= max(WORTH_DIVIDING, rate * WORTH_SECONDS))


def fetch_in_parts(
    range_client: RangeClient,
    stream: ResultStream,
    sink: Sink,
    *,
    connections: int,
    rate: float,
    verify: Callable[[bytes], None],
    write: Callable[[bytes], None],
    stats: TransferStats,
    progress: Progress,
) -> None:
    """Fetch the bytes from the start of ``stream`` on, over at most so many connections, where that is faster.

    ``rate`` is that of ``stream`` alone. A `LocalSink` takes the bytes from all connections at once, and ``verify``
    gets them in order; for another they are reordered in memory, and ``write`` verifies them, too, and reports the
    progress. Where the server refuses ranges (`RangeRefusedError`), the sink holds the file's first bytes.
    """
    total, identity, scaler = stream.identity.total or 0, stream.identity, ConnectionScaler(connections, rate)
    if isinstance(sink, LocalSink):
        plan = Plan(total, ((0, sink.written), *sink.landed))
        # Before a byte is written out of order: from then on the file's size says nothing.
        sink.record_progress(sink.written, plan.landed)
        fetch = ParallelFetch(range_client, identity, plan, sink.reorder_buffer(), scaler, stats)
        _scatter(fetch, stream, sink, verify, progress)
        return
    plan = Plan(total, ((0, sink.written),), piece=PIECE, ahead=PIECE * (connections + 1))
    with closing(ParallelFetch(range_client, identity, plan, MemoryReorderBuffer(), scaler, stats)) as fetch:
        for _, chunk in fetch.chunks(stream):
            write(chunk)


def _scatter(
    fetch: ParallelFetch, stream: ResultStream, sink: LocalSink, verify: Callable[[bytes], None], progress: Progress
) -> None:
    """Fetch into the sink's file, and read it back in order to verify it."""
    plan, reached, recorded, before = fetch.plan, sink.written, 0, bytes_present(sink)
    try:
        with closing(fetch):  # before the sink is changed
            for at, chunk in fetch.chunks(stream):
                verify(chunk)
                progress.at(before + plan.arrived)
                reached = at + len(chunk)
                if plan.arrived - recorded >= RECORD_EVERY:
                    recorded = plan.arrived
                    sink.record_progress(reached, plan.landed)
    except DestinationError:
        raise
    except OSError as error:
        raise destination_error(sink.uri, "write", error) from error
    except Exception:
        sink.truncate(reached)
        raise
    except BaseException:
        with suppress(DestinationError):  # a signal: the next try resumes what arrived
            sink.record_progress(reached, plan.landed)
        raise
    sink.record_progress(reached, plan.landed)
