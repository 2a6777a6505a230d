"""The log of what clients asked."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass
class RequestRecord:
    """One request as it arrived, and what became of it.

    Attributes:
        time: Unix time in seconds on the emulator's clock.
        vendor: vendor name; ``emulator`` for the control surface.
        operation: ``submit``, ``status``, ``list``, ``cancel``, ``download``, ``store``, ``balance``, ``token``,
            ``check``, ``verify``, ``rotate`` … or ``unknown`` where no route matched.
        method: HTTP method.
        path: path without the query.
        query: last value of each query parameter.
        headers: headers with lower-case names.
        status: HTTP status; 0 while unanswered or where the connection was dropped first.
        bytes_sent: body bytes handed to the transport so far.
        ended: Unix time, by the same clock, at which the answer was over; 0 before.
    """

    time: float
    vendor: str
    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int = 0
    bytes_sent: int = 0
    ended: float = 0.0


class RequestLog:
    """Requests in the order of their arrival, thread-safe."""

    def __init__(self) -> None:
        self._records: list[RequestRecord] = []
        self._lock = threading.Lock()

    def add(self, record: RequestRecord) -> None:
        """Append a live record; its status and byte count are filled in while the answer goes out."""
        with self._lock:
            self._records.append(record)

    def snapshot(self) -> list[RequestRecord]:
        """Return copies that no longer change."""
        with self._lock:
            return [replace(record) for record in self._records]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
