"""Coroutines on the event loop of an fsspec file system, started from this thread and awaited later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS

log = logging.getLogger(__name__)


class LoopTasks:
    """Tasks on the loop of ``fs``, an asynchronous file system."""

    def __init__(self, fs: Any) -> None:
        self.fs = fs
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, function: Callable[..., Awaitable[Any]], *args: Any, **arguments: Any) -> asyncio.Task[Any]:
        """Start a coroutine function and return its task at once.

        `stop` knows the task even if a signal raises in this thread before it is returned.
        """
        from fsspec.asyn import sync

        async def start() -> asyncio.Task[Any]:
            task = asyncio.ensure_future(function(*args, **arguments))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
            return task

        task: asyncio.Task[Any] = sync(self.fs.loop, start)
        return task

    def wait(self, task: asyncio.Task[Any], *, timeout: float | None = None) -> Any:
        """The task's result. A signal that raises in this thread leaves the task running until `stop`."""
        from fsspec.asyn import sync

        async def result() -> Any:
            return await task

        return sync(self.fs.loop, result, timeout=timeout)

    def stop(self) -> None:
        """Cancel all tasks and wait until they have ended. Never raises."""
        from fsspec.asyn import sync

        async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        try:
            if tasks := list(self._under_way):
                sync(self.fs.loop, cancel, tasks, timeout=ABORT_SECONDS)
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("Could not cancel pending requests to the store: %s", type(error).__name__)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # of a task that nobody waits for, asyncio would log the whole error
