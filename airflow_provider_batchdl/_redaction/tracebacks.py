"""Tracebacks without secrets in their frames' locals, and no longer than a person reads."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from types import TracebackType

from airflow_provider_batchdl._redaction.redactor import cause_of, get_logger
from airflow_provider_batchdl.exceptions import BatchDlError

log = get_logger(__name__)

# Frames that may be only suspended, somewhere else: to clear one would end it.
_MAY_GO_ON = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Secret(str):
    """A text that is sent as it is, and whose representation does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class emptied_frames(contextlib.ContextDecorator):  # noqa: N801 used like a function, as contextlib's are
    """Clear the frames of what is raised within: their locals hold credentials, signed links and requests.

    What an error hides (``raise … from None``) goes altogether, since some show it all the same. ``coroutines``: clear
    those of coroutines, too: all that ran within have ended.
    """

    def __init__(self, *, coroutines: bool = False) -> None:
        self._coroutines = coroutines

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None:
            empty_frames(error, coroutines=self._coroutines)


class brief:  # noqa: N801 used like a function, as contextlib's are
    """Shorten the tracebacks of our errors that this block raises: they begin at its caller.

    What a person needs is in the error's words; a traceback of the layers below, and of a library's error below those,
    pushes it out of sight. The log has it at level DEBUG.
    """

    def __enter__(self) -> None:
        pass

    # No generator with contextlib.contextmanager: that restores the traceback.
    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, BatchDlError):
            error.cause = shorten(error) or error.cause


def shorten(error: BaseException) -> BaseException | None:
    """Remove an error's traceback and chain; return the error that it came from."""
    log.debug("Where the following error was raised:", exc_info=error)
    cause = cause_of(error)
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return cause


def empty_frames(error: BaseException, *, coroutines: bool = False) -> None:
    """Clear the frames of one error and of those that it came from, see :class:`emptied_frames`."""
    kept = _MAY_GO_ON & ~inspect.CO_COROUTINE if coroutines else _MAY_GO_ON
    seen: set[int] = set()
    following: list[BaseException | None] = [error]
    while following:
        each = following.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if each.__suppress_context__ and each.__cause__ is None:
            each.__context__ = None
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if not frame.f_code.co_flags & kept:
                with contextlib.suppress(RuntimeError):  # it still runs
                    frame.clear()
        following += each.__cause__, each.__context__, getattr(each, "cause", None)
