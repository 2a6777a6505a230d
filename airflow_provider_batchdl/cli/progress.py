"""How far a download is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column

from airflow_provider_batchdl.cli.session import tell
from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines

MakeProgress: TypeAlias = Callable[[], Progress]

# Columns of the terminal that a file's name may have, and those that the bar and the numbers need.
NAME = 40
THE_REST = 62
# Seconds between two changes of the bar. Chunks come by the thousand.
STEP = 0.1


@contextmanager
def shown_progress(text: str, *, quiet: bool) -> Iterator[MakeProgress | None]:
    """Show on standard error how far a download is.

    Args:
        text: what is being done, shown until the first file comes.
        quiet: show nothing, but what the log has where it is shown.

    Yields:
        What makes, for each file, what is to be told; None for the log's lines.
    """
    console = Console(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        with _bars(console) as bars:
            bars.add_task(text, total=None)
            yield partial(FileBar, bars)
    else:
        yield partial(ProgressLines, tell)


class FileBar:
    """The bar of one file, in the place of the one before.

    Args:
        bars: where it is shown.
    """

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._total: int | None = None
        self._next = 0.0

    def begin(self, name: str, done: int, total: int | None) -> None:
        """As :meth:`Progress.begin`. What an earlier try left does not count as speed."""
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._total, self._next = total, 0.0
        self._task = self._bars.add_task(redact(name), total=total, completed=done)

    def at(self, done: int) -> None:
        """Move the bar, if it is time to."""
        if self._task is None:
            raise AssertionError("not begun")
        now = monotonic()
        if now >= self._next or done == self._total:
            self._next = now + STEP
            self._bars.update(self._task, completed=done)


def _bars(console: Console) -> Bars:
    room = max(NAME // 4, min(NAME, console.width - THE_REST))
    return Bars(
        # A vendor's file name is no markup.
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(max_width=room, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # Standard output is the result's, and may be a file.
        redirect_stdout=False,
        redirect_stderr=False,
    )
