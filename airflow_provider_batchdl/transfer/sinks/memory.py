"""A small result in memory, on its way to XCom."""

from __future__ import annotations


class MemorySink:
    """A `Sink` that keeps the bytes; whoever fills it bounds them."""

    uri = "memory:"

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def written(self) -> int:
        """Bytes taken since the start or the last `restart`."""
        return len(self._data)

    @property
    def data(self) -> bytes:
        """What was written."""
        return bytes(self._data)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        self._data += data

    def restart(self) -> None:
        """Begin again at zero."""
        self._data.clear()

    def seal(self) -> None:
        """Nothing to do."""

    def publish(self) -> None:
        """Nothing to do."""

    def discard(self) -> None:
        """Forget the bytes."""
        self._data.clear()
