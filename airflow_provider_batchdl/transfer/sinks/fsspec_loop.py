"""Coroutines on the event loop of an fsspec file system, started from this thread and awaited later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec.asyn import AsyncFileSystem


def begin(
    fs: AsyncFileSystem,
    function: Callable[..., Awaitable[Any]],
    *args: Any,
    pending: set[asyncio.Task[Any]] | None = None,
    **arguments: Any,
) -> asyncio.Task[Any]:
    """Start a coroutine on the file system's loop and return its task at once.

    Args:
        fs: the file system.
        function: makes the coroutine.
        args: its arguments.
        pending: has the task until it is done, even if a signal raises in this thread before it is returned.
        arguments: its keyword arguments.
    """
    from fsspec.asyn import sync

    def ended(task: asyncio.Task[Any]) -> None:
        if pending is not None:
            pending.discard(task)
        if not task.cancelled():
            task.exception()  # of a task that nobody waits for, asyncio would log the whole error

    async def start() -> asyncio.Task[Any]:
        task = asyncio.ensure_future(function(*args, **arguments))
        if pending is not None:
            pending.add(task)
        task.add_done_callback(ended)
        return task

    task: asyncio.Task[Any] = sync(fs.loop, start)
    return task


def wait(fs: AsyncFileSystem, task: asyncio.Task[Any], *, timeout: float | None = None) -> Any:
    """The result of a task on the file system's loop. A signal that raises in this thread leaves the task running."""
    from fsspec.asyn import sync

    async def result() -> Any:
        return await task

    return sync(fs.loop, result, timeout=timeout)


def cancel(fs: AsyncFileSystem, tasks: Iterable[asyncio.Task[Any]], *, timeout: float) -> None:
    """Cancel `tasks` and wait until they have ended. Raises after `timeout` seconds."""
    from fsspec.asyn import sync

    async def stop(under_way: list[asyncio.Task[Any]]) -> None:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    if under_way := list(tasks):
        sync(fs.loop, stop, under_way, timeout=timeout)
