"""Shared base of the object store sinks: a buffer being filled, blocks, and how an upload ends."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.errors import already_there, destination_error, ended


class Buffer(Protocol):
    """Holds the bytes of a block."""

    def write(self, data: memoryview, /) -> object:
        """Append ``data``."""


B = TypeVar("B", bound=Buffer)


class StoreSink(Generic[B], ABC):
    """A `Sink` that holds unsent bytes in a buffer; the buffer is None once nothing can be written any more."""

    uri: str
    written: int
    attested: tuple[str, ...] = ()
    _buffer: B | None
    _finalized: bool

    @abstractmethod
    def _begin(self) -> None:
        """Reset everything to the state before the first byte."""

    @abstractmethod
    def discard(self) -> None:
        """See `Sink`."""

    @abstractmethod
    def _is_in_the_way(self, error: Exception) -> bool:
        """Tell the store's refusal to replace an existing object (`create_only`) from all others."""

    def restart(self) -> None:
        """Discard all bytes so far, those that the store has included; restart from byte 0."""
        self._open_buffer()
        self.discard()
        self._begin()

    def _open_buffer(self) -> B:
        if self._buffer is None or self._finalized:
            raise ended(self.uri)
        return self._buffer

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


class BlockSink(StoreSink[B]):
    """A `StoreSink` that cuts the bytes into blocks and sends each when the next one begins."""

    _room: int
    """Bytes that the block being filled still takes."""

    @abstractmethod
    def _send(self, buffer: B) -> None:
        """Start uploading the full buffer and take another."""

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


def only(buffer: io.BytesIO, length: int) -> io.BytesIO:
    """Cut the buffer to `length` bytes (a reused one may hold more) and rewind it."""
    buffer.truncate(length)
    buffer.seek(0)
    return buffer
