"""A loopback server that answers with exactly the bytes it is given, for what no HTTP server would say."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Answer = bytes | Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(*answers: Answer, pause: float = 0.0, received: list[bytes] | None = None) -> Iterator[str]:
    """Answer one connection after another with ``answers``, the last one again and again, and close each.

    Args:
        answers: what to say, or what is to be done with the connection once something was received on it.
        pause: seconds between one byte and the next; 0 for all at once.
        received: gets what each connection brings first.

    Yields:
        The server's base URL, with a final slash.
    """
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for number in range(1000):
            try:
                connection, _ = server.accept()
            except OSError:
                return  # closed: the test is over
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                request = connection.recv(65536)
                if received is not None:
                    received.append(request)
                answer = answers[min(number, len(answers) - 1)]
                if not isinstance(answer, bytes):
                    answer(connection)
                    continue
                if not pause:
                    connection.sendall(answer)
                    continue
                for byte in answer:
                    connection.sendall(bytes([byte]))
                    time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)
