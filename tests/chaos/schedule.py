"""What befalls one download, faults of the emulator and kills of the process, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from hypothesis import strategies as st

from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.emulator.faults import FaultKind
from tests.chaos.fork_server import LOWERED

KIB, MIB = 1 << 10, 1 << 20
PART = int(LOWERED["sinks.s3.sink.BLOCK"])
STALL_SECONDS = 2 * LOWERED["source.connection.IDLE_TIMEOUT"]

RANGED = frozenset({"apartmentiq"})
"""Vendors whose file can be gone on with: Batch.com makes a new one for every link, the others serve no ranges."""
STORED = frozenset({"apartmentiq", "batchcom"})
"""Vendors whose API redirects to a store."""

SMALLEST = 1 << 10
"""Bytes below which the emulator's formats cannot have every size."""

Where = Literal["disk", "s3"]
Drawn = TypeVar("Drawn")

HEADS: dict[str, dict[str, Any]] = {
    "no_validator": {"headers": {"etag": None}},
    "dated": {"headers": {"etag": None, "date": "Tue, 14 Nov 2023 22:13:20 GMT"}},
    "no_range": {"headers": {"content-range": None}},
    "odd_bytes": {"headers": {"x-odd": "caf\xe9", "server": "\xff"}},
    "two_lengths": {"headers": {"content-length": "1, 2"}},
    "packed_chunks": {"headers": {"transfer-encoding": "gzip, chunked", "content-length": None}, "chunked": True},
    "not_ready": {"status": 202, "headers": {"retry-after": "0"}},
    "no_part": {"status": 207},
}
"""Heads that an answer of the store may have, by names of our own."""


@dataclass(frozen=True)
class Harm:
    """One request for the file, or for the job, suffers a fault.

    Attributes:
        kind: which, by the emulator's name; ``abort`` is a ``cut`` that ends with a TCP reset, those of `HEADS` are
            ``headers``.
        at: body bytes before the harm, or the byte with the wrong bit; where the kind has such a place.
        after: how many requests for the file go unharmed first.
        of: ``file``, or ``job`` for the question for the job's state.
    """

    kind: str
    at: int = 0
    after: int = 0
    of: Literal["file", "job"] = "file"

    def fault(self, vendor: str) -> Fault:
        """The emulator's fault."""
        operation = "status" if self.of == "job" else "store" if vendor in STORED else "download"
        if self.kind in HEADS:
            return Fault("headers", operation=operation, after=self.after, **HEADS[self.kind])
        kind = cast("FaultKind", "cut" if self.kind == "abort" else self.kind)
        return Fault(
            kind,
            operation=operation,
            after=self.after,
            after_bytes=self.at,
            at_byte=self.at,
            abort=self.kind == "abort",
            retry_after=0 if kind == "status" else None,
            seconds=STALL_SECONDS,
            length_delta=1 + self.at,
            range_shift=1 + self.at,
        )


@dataclass(frozen=True)
class Kill:
    """One try is killed with SIGKILL.

    Attributes:
        where: ``byte``: with this byte of the result in its hands. ``step``: before this step on the disk's file
            system, or before this call reaches the S3 store. ``answer``: when the store has carried out this call
            and has not answered yet.
        at: the number of the byte, step or call, from 1; a try that does not get so far is not killed.
    """

    where: Literal["byte", "step", "answer"]
    at: int


@dataclass(frozen=True)
class Schedule:
    """One example.

    Attributes:
        vendor: whose job it is.
        to: where it goes.
        size: bytes of the result.
        faults: in the order in which they are ordered.
        kills: of the first tries, one each; the last try, after them, is let live.
        previous: an older result is at the destination; not in a folder.
        folder: the destination is a folder, and the vendor's name is added.
        declared: the source declares checksums.
        connections: the most connections that the download may have.
    """

    vendor: str
    to: Where
    size: int
    faults: tuple[Harm, ...] = ()
    kills: tuple[Kill, ...] = ()
    previous: bool = False
    folder: bool = False
    declared: bool = False
    connections: int = 1


def around(*borders: int) -> list[int]:
    """Each border, the byte below and the byte above."""
    return sorted({border + step for border in borders for step in (-1, 0, 1)})


SIZES = {
    # One read of a body, the least that is worth keeping, a part of S3: at each of them the code takes another way.
    "disk": [0, 1, *around(64 * KIB, 512 * KIB, MIB), 2 * MIB + 1, 3 * MIB],
    "s3": [0, 1, *around(256 * KIB, PART, 2 * PART), 2 * PART + MIB, 3 * PART + 7],
}
PARALLEL_SIZES = {"disk": [3 * MIB, 6 * MIB + 1], "s3": [*around(PART), 2 * PART + 7]}

BREAKS: list[str] = ["cut", "abort"]
ANYWHERE: list[str] = ["reset", "status", "html"]
IN_A_STORE: list[str] = [
    "chunked_eof", "expired_link", "changed_file", "ignore_range", "wrong_range", "weak_etag",
    "wrong_length", *HEADS,
]  # fmt: skip
DECLARED: list[str] = ["bitflip", "no_length"]
"""Which only a checksum tells for certain: what ends unseen after a line looks whole."""


@st.composite
def schedules(draw: st.DrawFn, *, vendors: tuple[str, ...], to: Where, connections: tuple[int, ...] = (1,)) -> Schedule:
    """Schedules for some vendors and one destination; simple ones first, to shrink to."""
    vendor = draw(st.sampled_from(vendors))
    many = draw(st.sampled_from(connections))
    size = draw(st.sampled_from((SIZES if many == 1 else PARALLEL_SIZES)[to]))
    if vendor == "proofy":
        size = max(size, SMALLEST)  # its files are JSON documents: not one of 0 or 1 bytes is its own
    declared = draw(st.booleans())
    folder = to == "disk" and draw(st.booleans())
    return Schedule(
        vendor,
        to,
        size,
        tuple(draw(up_to(4, harms(vendor, size, declared=declared)))),
        tuple(draw(up_to(3, kills(to, size, parallel=many > 1)))),
        previous=not folder and draw(st.booleans()),
        folder=folder,
        declared=declared,
        connections=many,
    )


def up_to(most: int, each: st.SearchStrategy[Drawn]) -> st.SearchStrategy[list[Drawn]]:
    """Lists of any length, one as likely as the other; Hypothesis by itself prefers short ones."""
    return st.integers(0, most).flatmap(lambda count: st.lists(each, min_size=count, max_size=count))


def harms(vendor: str, size: int, *, declared: bool) -> st.SearchStrategy[Harm]:
    """One fault of those that the vendor's server can have."""
    kinds = [*ANYWHERE, *(IN_A_STORE if vendor in STORED else ["changed_file"]), *(DECLARED if declared else [])]
    # Mostly one right after the other: what a fault leaves is what the next one meets.
    after = st.sampled_from([0, 0, 0, 1, 2])
    broken = st.builds(Harm, st.sampled_from(BREAKS), places(size), after)
    of_file = broken | st.builds(Harm, st.sampled_from(kinds), places(size), after)
    # Rare, since each takes seconds.
    of_job = st.builds(Harm, st.sampled_from(["reset", "status"]), of=st.just("job"))
    stall = st.builds(Harm, st.just("stall"), places(size))
    return st.integers(0, 39).flatmap(lambda n: stall if n == 39 else of_job if n > 35 else of_file)


def kills(to: Where, size: int, *, parallel: bool) -> st.SearchStrategy[Kill]:
    """One kill: mostly in mid-file, else around what comes before and after."""
    by_byte = st.builds(Kill, st.just("byte"), places(size).map(lambda place: max(1, place)))
    wheres = st.sampled_from(["step"] if to == "disk" else ["step", "answer"])
    steps = (28 if parallel else 16) if to == "disk" else 8  # several connections note their places again and again
    by_step = st.builds(Kill, wheres, st.integers(1, steps))
    return st.one_of(by_byte, by_byte, by_step)


def places(size: int) -> st.SearchStrategy[int]:
    """Bytes of a file: its ends, its middle, where something begins anew, and any."""
    known = sorted({place for place in (0, 1, size // 2, size - 1, size, *around(MIB, PART)) if 0 <= place <= size})
    return st.one_of(st.sampled_from(known), st.integers(0, size))
