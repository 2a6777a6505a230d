"""A sink in memory, or on the worker's disk: for a result that is parsed, and for a page until it is verified."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import IO, cast

from airflow_provider_batchdl.transfer.sinks.errors import destination_error

IN_MEMORY = 1 << 20
"""Bytes above which a page is on the disk."""


class SpoolSink:
    """A `Sink` that no other process sees, and that no kill leaves. Whoever fills it limits it.

    Args:
        in_memory: bytes that it holds in memory; with more, all are in a temporary file.
    """

    uri = "memory:"
    attested: tuple[str, ...] = ()

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.written = 0
        file = tempfile.SpooledTemporaryFile(max_size=in_memory, prefix="batchdl-page-")  # noqa: SIM115
        self._file = cast("IO[bytes]", file)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`. Raises `DestinationError` where the disk is full."""
        with self._failing("write"):
            self._file.write(data)
        self.written += len(data)

    def restart(self) -> None:
        """Drop all bytes so far; restart from byte 0."""
        with self._failing("write"):
            self._file.seek(0)
            self._file.truncate()
        self.written = 0

    def finalize(self) -> None:
        """End writing; `read` starts at byte 0."""
        with self._failing("read"):
            self._file.flush()
            self._file.seek(0)

    def publish(self) -> None:
        """Do nothing: it is never published."""

    def discard(self) -> None:
        """Remove the bytes. Never raises; may be called again."""
        with contextlib.suppress(OSError):
            self._file.close()

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, after `finalize`; all that are left where no size is given."""
        with self._failing("read"):
            return self._file.read(size)

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Known once a file was made there, or nowhere.
            place = tempfile.tempdir or "the temporary folder"
            raise destination_error(place, f"{doing} a temporary file", error) from error
