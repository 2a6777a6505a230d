"""A server of `socketserver` that answers from a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from socketserver import BaseServer
from typing import TypeVar

Server = TypeVar("Server", bound=BaseServer)

_JOIN_SECONDS = 10


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """``server``, listening; afterwards it is closed."""
    with server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=type(server).__name__, daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(_JOIN_SECONDS)
