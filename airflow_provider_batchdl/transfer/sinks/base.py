"""Sink protocols: one object or file being written, invisible until it is published complete.

`s3fs.open("wb")` and most file objects complete whatever was written when they are closed, also while an exception
unwinds. A `Sink` has no such path: only `publish` makes anything visible.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_batchdl.transfer.state import PartialRecord


STORE_CHECKSUM = "store-checksum"
"""The word in ``verified_by`` for a store that compared the whole object with the checksum of what was sent."""


class Sink(Protocol):
    """One object being written; nothing of it is visible at `uri` until `publish`.

    Not thread-safe: one thread writes. Whoever opens a sink ends it with `publish` or `discard`, in a `finally`.
    Every method but `discard` raises `DestinationError` where the store refuses; by then the sink has discarded itself.
    """

    uri: str
    written: int
    """Bytes written since the start or the last `restart`."""
    attested: tuple[str, ...] = ()
    """After `publish`: what the store itself proved of the object, in words of ``verified_by``."""

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""

    def restart(self) -> None:
        """Drop all bytes so far and restart from byte 0."""

    def finalize(self) -> None:
        """Flush all bytes to the store and free their buffers, so that `publish` is only the last step.

        Optional. Afterwards neither `write` nor `restart` is possible.
        """

    def publish(self) -> str | None:
        """Make the complete object visible at once. Returns the store's ETag, without quotes, where there is one."""

    def discard(self) -> None:
        """Remove everything unpublished. Never raises; may be called again, also after `publish`."""


class DurableSink(Sink, ABC):
    """A sink whose bytes survive the process, so that the next try can resume them.

    A base class, not a protocol: `isinstance` with a protocol costs a small file as much as its CSV.
    """

    partial_record: PartialRecord | None
    """The record of the file whose first bytes it holds; None without one."""

    @abstractmethod
    def is_worth_resuming(self, total: int) -> bool:
        """True if resuming a file of ``total`` bytes is faster than downloading it again."""

    @abstractmethod
    def remember(self, partial_record: PartialRecord) -> None:
        """Store the record of the file that the bytes are of. A sink may skip it for small files."""

    @abstractmethod
    def suspend(self) -> None:
        """End the sink; leave its bytes where the next try can resume them, else discard them. Never raises."""


class CheckpointedSink(DurableSink):
    """A durable sink whose bytes cannot be read back: it stores their CRCs at checkpoints."""

    next_checkpoint: int | None
    """The byte after which `checkpoint` must be called; None for no more checkpoints."""
    crcs: Mapping[str, int] | None
    """The CRCs, by algorithm, at the last checkpoint of an earlier try, which is at `written`."""

    @abstractmethod
    def checkpoint(self, crcs: Mapping[str, int] | None) -> None:
        """Store the CRCs of exactly the first `next_checkpoint` bytes, and set the next checkpoint.

        None where another process could not continue; then there are no more checkpoints.
        """
