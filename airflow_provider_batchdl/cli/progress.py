"""Progress of a download: a bar on a terminal, occasional lines elsewhere."""

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
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Column

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.cli.session import print_note
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines

MakeProgress: TypeAlias = Callable[[], Progress]

# Columns of the terminal for a file's name, and for the bar and the numbers.
NAME = 40
THE_REST = 62
# Seconds between two updates of the bar: chunks arrive by the thousand.
STEP = 0.1


@contextmanager
def shown_progress(text: str, *, quiet: bool) -> Iterator[MakeProgress | None]:
    """Show the progress of a download on standard error: ``text`` until the first file starts.

    Yields what creates the object to report a file's progress to; None for log lines, if ``quiet``.
    """
    console = Console(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        with _bars(console) as bars:
            bars.add_task(text, total=None)
            yield partial(FileBar, bars)
    else:
        yield partial(ProgressLines, print_note)


class FileBar:
    """Progress bar of one file, replacing the previous one."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._next = 0.0

    def begin(self, name: str, done: int, total: int | None) -> None:
        """Start the bar of a file; resumed bytes do not count for its speed. See :meth:`Progress.begin`."""
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._bars.add_task(redact(name), total=total, completed=done)
        self._next = 0.0

    def at(self, done: int) -> None:
        """Update the bar, at most every 0.1 s. See :meth:`Progress.at`."""
        if (now := monotonic()) >= self._next:
            self._next = now + STEP
            [task] = self._bars.task_ids
            self._bars.update(task, completed=done)


def _bars(console: Console) -> Bars:
    room = max(NAME // 4, min(NAME, console.width - THE_REST))
    return Bars(
        # A vendor's file name is not markup.
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
        # Standard output is for the result, and may be a file.
        redirect_stdout=False,
        redirect_stderr=False,
    )
