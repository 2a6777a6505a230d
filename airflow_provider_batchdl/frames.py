"""Keeping secrets out of what error reporters, and tracebacks with locals, show of the frames behind an error."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Iterator

# Frames that may be only suspended, somewhere else: to clear one would end it.
_MAY_GO_ON = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Secret(str):
    """A text that is sent as it is, and whose representation does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@contextlib.contextmanager
def emptied_frames() -> Iterator[None]:
    """Empty the frames of what is raised within: their locals hold keys, signed links and requests.

    What an error hides (``raise … from None``) goes altogether, since some show it all the same.
    """
    try:
        yield
    except BaseException as error:
        _empty(error)
        raise


def _empty(error: BaseException) -> None:
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
            if not frame.f_code.co_flags & _MAY_GO_ON:
                with contextlib.suppress(RuntimeError):  # it still runs
                    frame.clear()
        following += each.__cause__, each.__context__
