"""Shared base of the object store sinks: the block being filled, the sizes of blocks, and how an upload ends."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar
from weakref import WeakSet

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, ended

WORTH_KEEPING = 64 << 10
"""Bytes of a chunk that is held as it is; smaller ones are gathered, since each costs a trip to the socket."""
MOST_HELD = 16 << 20
"""Bytes that finalized sinks may hold in memory together: a result may have thousands of small parts."""
GATHERED = 512 << 10
"""Bytes to which they are gathered."""


_holding: WeakSet[BlockSink[Any]] = WeakSet()


class Block:
    """Bytes of one block, most of which are never copied; they can be sent again and again until they are released.

    Attributes:
        size: how many.
    """

    def __init__(self) -> None:
        self.size = 0
        self._chunks: list[memoryview | bytearray] = []

    def write(self, data: memoryview) -> None:
        """Append ``data``; what may change afterwards is copied."""
        self.size += len(data)
        if len(data) >= WORTH_KEEPING and isinstance(data.obj, bytes):
            self._chunks.append(data)
            return
        last = self._chunks[-1] if self._chunks else None
        if not isinstance(last, bytearray) or len(last) >= GATHERED:
            last = bytearray()
            self._chunks.append(last)
        last += data

    def pieces(self, largest: int) -> Iterator[memoryview]:
        """The bytes in their order, none of the pieces above ``largest`` bytes."""
        for chunk in self._chunks:
            view = memoryview(chunk)
            for at in range(0, len(view), largest):
                yield view[at : at + largest]

    def content(self) -> bytes:
        """The bytes in one piece, which replaces the others."""
        whole = b"".join(self._chunks)
        self._chunks = [memoryview(whole)]
        return whole

    def file(self) -> io.BytesIO:
        """The same as a file to read, which shares the bytes."""
        return io.BytesIO(self.content())


@dataclass(frozen=True)
class BlockSizes:
    """The sizes of the blocks that an object is cut into.

    Args:
        base: bytes in the first block.
        fixed: all blocks but the last must have one size (Cloudflare R2; s3fs's `fixed_upload_size`).
        grow_every: blocks after which their size doubles, unless `fixed`.
        planned: blocks that an object of the announced size has; their size does not grow, and so memory does not.
    """

    base: int
    fixed: bool
    grow_every: int
    planned: int = 0

    @classmethod
    def of(
        cls, expected_bytes: int | None, *, smallest: int, most_planned: int, grow_every: int, fixed: bool = False
    ) -> Self:
        """Those for an object of `expected_bytes`, where that is known: in whole MiB, at most `most_planned` blocks."""
        expected = expected_bytes or 0
        base = -(-max(smallest, -(-expected // most_planned)) // (1 << 20)) << 20
        return cls(base, fixed, grow_every, -(-expected // base))

    def size(self, number: int) -> int:
        """Bytes in block `number`, from 1."""
        return self.base if self.fixed else self.base << max(0, (number - self.planned - 1) // self.grow_every)


class Upload(Protocol):
    """An upload whose blocks are sent in the background."""

    @property
    def in_flight(self) -> int:
        """Blocks sent and not yet collected."""

    def collect(self) -> None:
        """Wait for the oldest block under way. Raises what its upload raised."""


B = TypeVar("B", bound=Block)


class BlockSink(Generic[B], ABC):
    """A `Sink` that cuts the bytes into blocks and sends each when the next one begins.

    The block being filled is None once nothing can be written any more.
    """

    uri: str
    written: int
    attested: tuple[str, ...] = ()
    _buffer: B | None
    _finalized: bool
    _size: int
    """Bytes of the block being filled, once it is full."""
    _room: int
    """Bytes that it still takes."""

    @abstractmethod
    def _begin(self) -> None:
        """Reset everything to the state before the first byte."""

    @abstractmethod
    def discard(self) -> None:
        """See `Sink`."""

    @abstractmethod
    def _send(self, buffer: B) -> None:
        """Start uploading the full block and take another."""

    @abstractmethod
    def _is_in_the_way(self, error: Exception) -> bool:
        """Tell the store's refusal to replace an existing object (`create_only`) from all others."""

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`; waits for the store only while too many blocks are in flight."""
        view = memoryview(data).cast("B")
        while view:
            buffer = self._open_buffer()
            # A full block is only sent once more bytes arrive: so the last one is never empty, which stores may refuse,
            # and what fits into one can still be a single request.
            if not self._room:
                self._guard("upload", self._send, buffer)
                continue
            taken = view[: self._room]
            buffer.write(taken)
            self._room -= len(taken)
            self.written += len(taken)
            view = view[len(taken) :]

    def restart(self) -> None:
        """Discard all bytes so far, those that the store has included; restart from byte 0."""
        self._open_buffer()
        self.discard()
        self._begin()

    def _may_hold(self, most: int) -> bool:
        """True if the sink, which is finalized, may hold its bytes in memory until `publish`: `most` at most."""
        held = sum(sink.written for sink in tuple(_holding) if sink._finalized)
        if self.written > most or held + self.written > MOST_HELD:
            return False
        _holding.add(self)
        return True

    def _open_buffer(self) -> B:
        if self._buffer is None or self._finalized:
            raise ended(self.uri)
        return self._buffer

    def _wait_for_room(self, upload: Upload, most: int) -> None:
        """Wait until another block makes at most `most` bytes under way, or is the only one."""
        while upload.in_flight and (upload.in_flight + 1) * self._size > most:
            upload.collect()

    def _guard(self, doing: str, step: Any, *args: Any) -> Any:
        """Run `step`; an exception of the store discards the upload and becomes a `DestinationError`."""
        try:
            return step(*args)
        except DestinationError:
            raise
        except Exception as error:  # noqa: BLE001  the stores' clients and aiohttp share no base
            self.discard()
            if self._is_in_the_way(error):
                raise already_there(self.uri) from None
            raise destination_error(self.uri, doing, error) from None
