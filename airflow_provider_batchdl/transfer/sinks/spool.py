"""A sink on the worker's own disk, for a page until it is verified."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import IO

from airflow_provider_batchdl.transfer.sinks.errors import destination_error


class SpoolSink:
    """A `Sink` in a temporary file that no other process sees, and that no kill leaves."""

    attested: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.uri = tempfile.gettempdir()
        self.written = 0
        with self._failing("create a temporary file in"):
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="batchdl-page-")  # noqa: SIM115

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`. Raises `DestinationError` where the disk is full."""
        with self._failing("write a page to"):
            self._file.write(data)
        self.written += len(data)

    def restart(self) -> None:
        """Drop all bytes so far; restart from byte 0."""
        with self._failing("write a page to"):
            self._file.seek(0)
            self._file.truncate()
        self.written = 0

    def finalize(self) -> None:
        """Do nothing: it is never published."""

    def publish(self) -> None:
        """Do nothing: it is never published."""

    def discard(self) -> None:
        """Remove the file. Never raises; may be called again."""
        with contextlib.suppress(OSError):
            self._file.close()

    def read(self, size: int) -> bytes:
        """Read the next bytes, after `rewind`."""
        with self._failing("read a page from"):
            return self._file.read(size)

    def rewind(self) -> None:
        """Read from byte 0 on."""
        with self._failing("read a page from"):
            self._file.flush()
            self._file.seek(0)

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise destination_error(self.uri, doing, error) from error
