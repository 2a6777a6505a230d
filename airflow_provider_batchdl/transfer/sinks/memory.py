"""A sink in memory, for small results that go to XCom."""

from __future__ import annotations


class MemorySink:
    """A `Sink` that holds all bytes; whoever fills it limits them."""

    uri = "memory:"
    attested: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._data = bytearray()
        self.written = 0

    @property
    def data(self) -> bytes:
        """All bytes written so far."""
        return bytes(self._data)

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`."""
        self._data += data
        self.written = len(self._data)

    def restart(self) -> None:
        """Discard all bytes; restart from byte 0."""
        self._data.clear()
        self.written = 0

    def finalize(self) -> None:
        """Do nothing: the bytes are in memory."""

    def publish(self) -> None:
        """Do nothing: the bytes are in memory."""

    def discard(self) -> None:
        """Discard the bytes."""
        self.restart()
