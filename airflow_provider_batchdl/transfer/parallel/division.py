"""When a file is divided among several connections, and how its bytes come together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.opener import Opener
from airflow_provider_batchdl.transfer.parallel.fetch import ParallelFetch
from airflow_provider_batchdl.transfer.parallel.growth import Growth
from airflow_provider_batchdl.transfer.parallel.plan import Plan, merged
from airflow_provider_batchdl.transfer.parallel.shelf import MemoryShelf
from airflow_provider_batchdl.transfer.progress import Progress
from airflow_provider_batchdl.transfer.sinks import ScatteredSink, Sink
from airflow_provider_batchdl.transfer.sinks.errors import destination_error
from airflow_provider_batchdl.transfer.stream import ResultStream

WORTH_DIVIDING = 32 << 20
"""Bytes left below which a second connection is not worth its handshake."""
WORTH_SECONDS = 1.0
"""The same in time."""
PIECE = 4 << 20
"""Bytes asked for at once where they wait in memory for their turn: one piece for each connection and one to spare."""
NOTE_EVERY = 16 << 20
"""Bytes after which it is noted which are there, for a next try."""


@dataclass
class Tally:
    """What happened on the way."""

    resumed: int = 0
    restarted: int = 0
    connections: int = 1


def here(sink: Sink) -> int:
    """Bytes that a sink has: those in their order, and those that came early."""
    return sum(end - start for start, end in merged(((0, sink.written), *getattr(sink, "landed", ()))))


def worth_dividing(stream: ResultStream, left: int, rate: float) -> bool:
    """Whether several connections may bring the rest of a file sooner, and are sure to bring the same file.

    Args:
        stream: what brings it now.
        left: bytes that are missing.
        rate: bytes a second that it brings.
    """
    same_file = stream.identity.etag and stream.identity.total and not stream.coding
    return bool(stream.head.serves_ranges and same_file and left >= max(WORTH_DIVIDING, rate * WORTH_SECONDS))


def fetch_in_parts(
    opener: Opener,
    stream: ResultStream,
    sink: Sink,
    *,
    connections: int,
    rate: float,
    examine: Callable[[bytes], None],
    keep: Callable[[bytes], None],
    tally: Tally,
    progress: Progress,
) -> None:
    """Bring what is missing of a file, by several connections where more of them bring more.

    Args:
        opener: opens the parts.
        stream: an open connection that goes on where the sink is.
        sink: where the file goes. One that takes bytes anywhere is given them by all connections; another gets them
            in their order, and what comes early waits in memory.
        connections: the most to have.
        rate: what ``stream`` alone brings, in bytes a second.
        examine: sees each byte in its order.
        keep: does, too, and writes it.
        tally: is kept.
        progress: is told what arrived, except where ``keep`` sees it as it arrives.

    Raises:
        RangeRefusedError: the server does not go on with this file in this way; the sink has what begins it.
        BatchDlError: what else ended it.
    """
    total = stream.identity.total or 0
    if not isinstance(sink, ScatteredSink):
        shelf = MemoryShelf(PIECE * (connections + 1))
        plan = Plan(total, ((0, sink.written),), piece=PIECE, ahead=shelf.ahead)
        fetch = ParallelFetch(opener, stream.identity, plan, shelf, Growth(connections, rate))
        with _counted(fetch, tally):
            for _, chunk in fetch.chunks(stream):
                keep(chunk)
        return
    plan = Plan(total, ((0, sink.written), *sink.landed))
    sink.reached(sink.written, plan.landed)  # before a byte is put elsewhere: the file's size tells nothing then
    fetch = ParallelFetch(opener, stream.identity, plan, sink.shelf(), Growth(connections, rate))
    before = here(sink)
    _scatter(fetch, plan, stream, sink, examine, tally, lambda: progress.at(before + plan.arrived))


def _scatter(
    fetch: ParallelFetch,
    plan: Plan,
    stream: ResultStream,
    sink: ScatteredSink,
    examine: Callable[[bytes], None],
    tally: Tally,
    tell: Callable[[], None],
) -> None:
    """Fetch into the sink's file, and read along."""
    reached, noted = sink.written, 0
    try:
        with _counted(fetch, tally):
            for at, chunk in fetch.chunks(stream):
                examine(chunk)
                tell()
                reached = at + len(chunk)
                if plan.arrived - noted >= NOTE_EVERY:
                    noted = plan.arrived
                    sink.reached(reached, plan.landed)
    except DestinationError:
        raise
    except OSError as error:
        raise destination_error(sink.uri, "write", error) from error
    except Exception:
        sink.settle(reached)
        raise
    except BaseException:
        with suppress(DestinationError):  # a signal: what came is for the next try
            sink.reached(reached, plan.landed)
        raise
    sink.reached(reached, plan.landed)


@contextmanager
def _counted(fetch: ParallelFetch, tally: Tally) -> Iterator[None]:
    """``fetch``, closed and counted at the end."""
    try:
        yield
    finally:
        fetch.close()
        tally.resumed += fetch.broken
        tally.connections = max(tally.connections, fetch.most)
