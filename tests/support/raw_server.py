"""A loopback server that answers with exactly the bytes it is given, for what no HTTP server would say."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

Answer = bytes | Callable[[socket.socket], None]
_REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1")


def take_all(connection: socket.socket, began: bytes) -> None:
    """Receive the rest of a request: what is answered before is surely not accepted, and may be sent again.

    And what is closed with something unread is reset, which may reach the client before the answer does.
    """
    if not _REQUEST.match(began):
        return
    while b"\r\n\r\n" not in began:
        began += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = began.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: (\d+)", head, re.IGNORECASE | re.MULTILINE)
    waits = re.search(rb"^expect: 100-continue", head, re.IGNORECASE | re.MULTILINE)
    left = 0 if length is None or waits else int(length[1]) - len(body)
    while left > 0 and (piece := connection.recv(65536)):
        left -= len(piece)


@contextlib.contextmanager
def serving(*answers: Answer, pause: float = 0.0, received: list[bytes] | None = None) -> Iterator[str]:
    """Answer one connection after another with ``answers``, the last one again and again, and close each.

    Args:
        answers: what to say once the whole request has been received, or what is to be done with the connection once
            something was received on it.
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
                take_all(connection, request)
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
