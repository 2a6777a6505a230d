"""uvicorn in a thread of its own, on two sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from airflow_provider_batchdl.emulator.protocol import FaultableProtocol

_TICK_SECONDS = 0.1
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Args:
        host: address to listen on.
        port: TCP port; 0 is any free one.

    Raises:
        OSError: where the port is taken; the message says which.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"the emulator cannot listen on {host}:{port}: {error.strerror}") from None
    sock.listen(2048)
    return sock


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and drops harmed connections when it goes."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    async def main_loop(self) -> None:
        # As uvicorn's, but an end that is asked for comes at once rather than after the rest of a tick.
        self._loop = asyncio.get_running_loop()
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TICK_SECONDS)

    def exit_soon(self) -> None:
        """Ask for the end, from any thread."""
        self.should_exit = self.force_exit = True
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                self._loop.call_soon_threadsafe(self._wake.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A stalled or dripping answer would otherwise keep the process waiting for its client.
        for server in self.servers:
            server.close()
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)
        self.server_state.connections.clear()
        for sock in sockets or []:
            sock.close()


class ServerThread:
    """Runs an ASGI app on given sockets until it is stopped.

    Args:
        app: the app.
        sockets: bound sockets; closed when the server stops.
    """

    def __init__(self, app: ASGIApp, sockets: list[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            # Before 0.36, "auto" makes uvloop the kind of all event loops in the process.
            loop="auto" if hasattr(uvicorn.Config, "get_loop_factory") else "none",
            http=FaultableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        # Cancelled answers are the normal end of a stalled one, not an error to print.
        logging.getLogger("uvicorn.error").addFilter(_not_cancellation)
        self._server = _Server(config)
        self._sockets = sockets
        self._thread = threading.Thread(target=self._run, name="batchdl-emulator", daemon=True)
        self._failure: BaseException | None = None

    def _run(self) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                self._server.run(sockets=self._sockets)
        except (OSError, RuntimeError, SystemExit) as error:
            self._failure = error
        finally:
            self._server.ready.set()

    def start(self) -> None:
        """Start and wait until both sockets accept.

        Raises:
            RuntimeError: where the server does not come up.
        """
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS) or self._failure or not self._server.started:
            raise RuntimeError("the emulator's server did not start") from self._failure

    def stop(self) -> None:
        """Stop at once, harmed connections included."""
        self._server.exit_soon()
        self._thread.join(_STOP_SECONDS)


def _not_cancellation(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
