"""A shaped link in user space: between a client and a server on loopback, for kernels without ``netem``.

Run as ``python relay.py LISTENER SERVER_PORT RATE DELAY``: LISTENER is the number of a descriptor that listens; RATE is
in bytes a second, for each connection's answers; DELAY is in seconds, one way. A connection is a serial line with a
delay behind it: a piece leaves when the line is free and arrives DELAY later. The line may not save up more than
`BURST_S` of unused time, and holds at most `QUEUE_S` of data that is not on its way yet, as a router's buffer does.
Opening a connection costs its round trip. On SIGTERM it prints what it counted, as JSON: connections, most at once,
bytes of answers, own CPU seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass

PIECE = 64 << 10
BURST_S = 0.005
QUEUE_S = 0.06
_LEAST_NAP_S = 0.001  # an event loop's timers are no finer


@dataclass
class Counts:
    """What passed. A connection counts from its first answer on: a probe of the port does not count."""

    connections: int = 0
    now: int = 0
    most: int = 0
    answered: int = 0

    def begin(self) -> None:
        self.connections += 1
        self.now += 1
        self.most = max(self.most, self.now)


class Line:
    """One direction of one connection: pieces with the time at which each arrives."""

    def __init__(self, rate: float | None, delay: float) -> None:
        self._rate = rate
        self._delay = delay
        self._free = 0.0
        self._flying: deque[tuple[float, bytes]] = deque()
        self._more = asyncio.Event()
        self._taken = asyncio.Event()
        self.begun = False

    async def fill(self, source: socket.socket, counts: Counts | None) -> None:
        """Read what the sender sends, no faster than the line takes it; empty bytes are its end."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while piece := await loop.sock_recv(source, PIECE):
                if counts:
                    if not self.begun:
                        counts.begin()
                    counts.answered += len(piece)
                self.begun = True
                now = loop.time()
                if self._rate:
                    self._free = max(self._free, now - BURST_S) + len(piece) / self._rate
                self._put(max(self._free, now) + self._delay, piece)
                await _nap(self._free - QUEUE_S - now)
                # A receiver that does not read: what is due and not taken stays with the sender.
                while self._flying and loop.time() - self._flying[0][0] > QUEUE_S:
                    self._taken.clear()
                    await self._taken.wait()
        self._put(loop.time() + self._delay, b"")

    def _put(self, arrival: float, piece: bytes) -> None:
        self._flying.append((arrival, piece))
        self._more.set()

    async def drain(self, target: socket.socket) -> None:
        """Hand over each piece when it arrives."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._flying:
                self._more.clear()
                await self._more.wait()
            arrival, piece = self._flying[0]
            await _nap(arrival - loop.time())
            if not piece:
                return
            await loop.sock_sendall(target, piece)
            self._flying.popleft()
            self._taken.set()


async def _nap(seconds: float) -> None:
    if seconds > _LEAST_NAP_S:
        await asyncio.sleep(seconds)


async def _one_way(line: Line, source: socket.socket, target: socket.socket, counts: Counts | None) -> None:
    filling = asyncio.create_task(line.fill(source, counts))
    try:
        await line.drain(target)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
    finally:
        filling.cancel()


async def _carry(client: socket.socket, port: int, rate: float, delay: float, counts: Counts) -> None:
    """One connection, until both sides have ended or one broke."""
    loop = asyncio.get_running_loop()
    answer_line = Line(rate, delay)
    try:
        with client, socket.socket() as server:
            for each in (client, server):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await _nap(2 * delay)  # the handshake's round trip
            await loop.sock_connect(server, ("127.0.0.1", port))
            requests = asyncio.create_task(_one_way(Line(None, delay), client, server, None))
            answers = asyncio.create_task(_one_way(answer_line, server, client, counts))
            await asyncio.wait((requests, answers), return_when=asyncio.FIRST_EXCEPTION)
            for task in (requests, answers):
                task.cancel()
            await asyncio.gather(requests, answers, return_exceptions=True)
    finally:
        counts.now -= answer_line.begun


async def serve(listening: int, server_port: int, rate: float, delay: float) -> Counts:
    """Relay until SIGTERM."""
    loop, counts = asyncio.get_running_loop(), Counts()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    carried: set[asyncio.Task[None]] = set()

    async def accept(listener: socket.socket) -> None:
        while True:
            client, _ = await loop.sock_accept(listener)
            task = asyncio.create_task(_carry(client, server_port, rate, delay, counts))
            carried.add(task)
            task.add_done_callback(carried.discard)

    with socket.socket(fileno=listening) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(accept(listener))
        await ended.wait()
        accepting.cancel()
    return counts


def main() -> None:
    """Relay as the arguments say, then tell."""
    listening, server_port, rate, delay = sys.argv[1:]
    counts = asyncio.run(serve(int(listening), int(server_port), float(rate), float(delay)))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "connections": counts.connections,
        "most": counts.most,
        "answered": counts.answered,
        "cpu": usage.ru_utime + usage.ru_stime,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
