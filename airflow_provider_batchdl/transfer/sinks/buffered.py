"""Shared base of the object store sinks: the block being filled, the sizes of blocks, and how an upload ends."""

from __future__ import annotations

import io
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Generic, Self, TypeVar
from weakref import WeakSet

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.base import STORE_CHECKSUM
from airflow_provider_batchdl.transfer.sinks.errors import (
    already_there,
    destination_error,
    ended,
    is_in_the_way,
    no_object,
)

try:
    from isal.isal_zlib import crc32  # the same function at a seventh of the cost
except ImportError:
    from zlib import crc32

WORTH_KEEPING = 64 << 10
"""Bytes of a chunk that is held as it is; smaller ones are gathered, since each costs a trip to the socket."""
GATHERED = 512 << 10
"""Bytes to which they are gathered."""
IN_FLIGHT_BYTES = 16 << 20
"""Bytes of all blocks in flight, beside the one being filled (one block at least)."""
MOST_HELD = 16 << 20
"""Bytes that finalized sinks may hold in memory together: a result may have thousands of small parts."""
SMALL = 256 << 10
"""Bytes a finalized sink may hold in memory; a job can have hundreds of parts that wait for the last one."""
ABORT_SECONDS = 60.0
"""A dead store may hold a task that is being killed no longer than this."""

_holding: WeakSet[BlockSink[Any]] = WeakSet()


class Block:
    """Bytes of one block, most of which are never copied; they can be sent again and again until they are released."""

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
        """The bytes as a file to read, which shares them."""
        return io.BytesIO(self.content())

    @cached_property
    def crc32(self) -> int:
        """The CRC-32 of the bytes, computed once: nothing may be written afterwards."""
        return reduce(lambda crc, piece: crc32(piece, crc), self.pieces(1 << 20), 0)


@dataclass(frozen=True)
class BlockSizes:
    """The sizes of the blocks that an object is cut into."""

    base: int  # bytes in the first block
    fixed: bool  # all but the last must have one size (Cloudflare R2; s3fs's `fixed_upload_size`)
    grow_every: int  # blocks after which their size doubles, unless `fixed`
    planned: int = 0  # blocks that an object of the announced size has; their size does not grow, so memory does not

    @classmethod
    def of(
        cls, expected_bytes: int | None, *, smallest: int, most_planned: int, grow_every: int, fixed: bool = False
    ) -> Self:
        """The sizes for an object of `expected_bytes`, if known: in whole MiB, at most `most_planned` blocks."""
        expected = expected_bytes or 0
        base = -(-max(smallest, -(-expected // most_planned)) // (1 << 20)) << 20
        return cls(base, fixed, grow_every, -(-expected // base))

    def size(self, number: int) -> int:
        """Bytes in block `number`, from 1."""
        return self.base if self.fixed else self.base << max(0, (number - self.planned - 1) // self.grow_every)


class Upload(ABC):
    """The requests that make one object; nothing of it is visible before `complete`.

    Blocks are sent in the background, in their order.
    """

    attested = True
    """After `complete`: whether the store compared the object with checksums of what was sent."""

    def __init__(self) -> None:
        self.begun = 0
        """Blocks sent so far."""
        self._flying: deque[Any] = deque()

    @property
    def in_flight(self) -> int:
        """Blocks sent and not yet collected."""
        return len(self._flying)

    @abstractmethod
    def send(self, block: Block) -> None:
        """Start uploading ``block`` as the next one."""

    @abstractmethod
    def collect(self) -> Any:
        """Wait for the oldest block in flight. Raises what its upload raised."""

    def finish(self, rest: Block | None = None) -> None:
        """Send the last block, and wait for all; what makes the object visible may be held back."""
        if rest is not None and rest.size:  # an empty object has no blocks
            self.send(rest)
        while self.in_flight:
            self.collect()

    @abstractmethod
    def complete(self, rest: Block | None) -> object:
        """Make the object visible; ``rest`` is what `finish` has not had. Returns its ETag as the store writes it."""

    @abstractmethod
    def abort(self) -> None:
        """End the upload, if one was begun, and what is under way. Never raises."""


U = TypeVar("U", bound=Upload)


def object_at(fs: Any, path: str, uri: str) -> tuple[str, str]:
    """The bucket, or container, of a path and the object's name in it.

    Raises:
        DestinationError: the path names no object.
    """
    bucket, name, _ = fs.split_path(path)
    if not bucket or not name or path.endswith("/"):  # an older fsspec drops it from the name
        raise no_object(uri)
    return bucket, name


class BlockSink(Generic[U]):
    """A `Sink` that cuts the bytes into blocks and sends each when the next one begins.

    Memory: the block being filled, plus at most `IN_FLIGHT_BYTES` (or one block) in flight.
    """

    attested: tuple[str, ...] = ()

    def __init__(
        self,
        uri: str,
        sizes: BlockSizes,
        new_upload: Callable[[], U],
        *,
        create_only: bool,
        most_blocks: int = sys.maxsize,
    ) -> None:
        self.uri = uri
        self._sizes = sizes
        self._most_blocks = most_blocks
        self._new_upload = new_upload
        self._create_only = create_only
        self._begin()

    def _begin(self) -> None:
        """Reset everything to the state before the first byte."""
        self.written = 0
        self._upload: U | None = self._new_upload()
        self._finalized = False
        self._next_block(1)

    def _next_block(self, number: int) -> None:
        """Begin block `number`. There is none once nothing can be written any more."""
        if number > self._most_blocks:
            raise ValueError(f"the object has more than {self._most_blocks} parts; its size was announced too small")
        # Its bytes once it is full, and those that it still takes.
        self._size = self._room = self._sizes.size(number)
        self._buffer: Block | None = Block()

    def _end(self) -> U | None:
        """Release everything; return the upload."""
        upload, self._upload, self._buffer, self._finalized = self._upload, None, None, False
        return upload

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`; waits for the store only while too many blocks are in flight."""
        view = memoryview(data).cast("B")
        while view:
            upload, buffer = self._open()
            # A full block is only sent once more bytes arrive: so the last one is never empty, which stores may refuse,
            # and what fits into one can still be a single request.
            if not self._room:
                self._guard("upload", self._send, upload, buffer)
                continue
            taken = view[: self._room]
            buffer.write(taken)
            self._room -= len(taken)
            self.written += len(taken)
            view = view[len(taken) :]

    def restart(self) -> None:
        """Discard all bytes so far, those that the store has included; restart from byte 0."""
        self._open()
        self.discard()
        self._begin()

    def finalize(self) -> None:
        """Send what is left; at most `SMALL` bytes stay in memory for a single request, unless too many objects' do."""
        upload, buffer = self._open()
        self._finalized = True
        held = sum(sink.written for sink in tuple(_holding) if sink._finalized)
        if not upload.begun and self.written <= min(SMALL, MOST_HELD - held):
            _holding.add(self)
            return
        self._guard("upload", upload.finish, buffer)
        self._buffer = None

    def publish(self) -> str | None:
        """Complete the upload: the object appears whole. Returns its ETag without quotes."""
        if not self._finalized:
            self._open()
        if self._upload is None:
            raise ended(self.uri)
        etag = self._guard("publish", self._upload.complete, self._buffer)
        self.attested = (STORE_CHECKSUM,) if self._upload.attested else ()
        self._end()
        return str(etag).strip('"') if etag else None

    def discard(self) -> None:
        """Abort the upload. Never raises; may be called again."""
        upload = self._end()
        if upload is not None:
            upload.abort()

    def _send(self, upload: U, buffer: Block) -> None:
        """Start uploading the full block, once there is room for it, and take another."""
        while upload.in_flight and (upload.in_flight + 1) * self._size > IN_FLIGHT_BYTES:
            upload.collect()
        upload.send(buffer)
        self._next_block(upload.begun + 1)

    def _open(self) -> tuple[U, Block]:
        """The upload, and the block that takes bytes."""
        if self._upload is None or self._buffer is None or self._finalized:
            raise ended(self.uri)
        return self._upload, self._buffer

    def _guard(self, doing: str, step: Any, *args: Any) -> Any:
        """Run `step`; an exception of the store discards the upload and becomes a `DestinationError`."""
        try:
            return step(*args)
        except DestinationError:
            raise
        except Exception as error:  # noqa: BLE001  the stores' clients and aiohttp share no base
            self.discard()
            if self._create_only and is_in_the_way(error):
                raise already_there(self.uri) from None
            raise destination_error(self.uri, doing, error) from None
