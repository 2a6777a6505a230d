"""Shared by all commands: where connections are read from, output, and exit codes."""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, NoReturn, TextIO

from airflow.cli.simple_table import AirflowConsole
from airflow.sdk.exceptions import AirflowException
from airflow.utils.cli import suppress_logs_and_warning

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl._values.storable import displayable, storable, storable_text
from airflow_provider_batchdl.cli.connections import listed_connections
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook

FAILED = 1
# sysexits.h: EX_TEMPFAIL, "the user is invited to try again later".
TRY_AGAIN = 75
INTERRUPTED = 130

Action = Callable[[Namespace], None]


def command(action: Action) -> Action:
    """Make ``action`` a command: errors of the hooks become one line on standard error.

    Exits with 1, or with 75 if the same command may succeed later (``BatchDlError.retryable``). What a terminal cannot
    show is escaped; a reader that stops early, like ``head``, is no error to report.
    """

    @wraps(action)
    def run(args: Namespace) -> None:
        # As in Airflow's own commands: without it, connections in the metadata database are not found.
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
        _escape_unprintable()
        try:
            action(args)
            write_line(sys.stdout)
        except BatchDlError as error:
            fail(f"{type(error).__name__}: {error}", TRY_AGAIN if error.retryable else FAILED)
        except AirflowException as error:
            fail(str(error))
        except BrokenPipeError:
            _discard_output()
            raise SystemExit(FAILED) from None
        except KeyboardInterrupt:
            fail("stopped.", INTERRUPTED)

    quiet: Action = suppress_logs_and_warning(run)
    return quiet


def _escape_unprintable() -> None:
    """Escape letters that the terminal's encoding lacks: an error there would end a command that has paid for a job."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Write what is still buffered to nowhere: Python would complain about it at the end of the process."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Exit with one line of explanation."""
    print_note(f"airflow batchdl: {text}")
    raise SystemExit(code)


def print_note(text: str) -> None:
    """Print a line on standard error, apart from the command's result."""
    write_line(sys.stderr, " ".join(redact(text).split()))


def write_line(stream: TextIO | None, text: str | None = None) -> None:
    """Write a line, if any, and flush the stream; do nothing if the shell has closed it (Python has None then)."""
    if stream is None:
        return
    if text is not None:
        stream.write(storable_text(displayable(text)) + "\n")
    stream.flush()


def show(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Print a command's result: rows with the same keys, as ``table``, ``json``, ``yaml`` or ``plain``."""
    if output in ("table", "plain"):
        rows = [{name: "-" if value is None else displayable(value) for name, value in row.items()} for row in rows]
    # Vendors' texts are not markup, and bytes of a shell that are not UTF-8 cannot be printed.
    AirflowConsole(markup=False, emoji=False).print_as(data=storable(rows), output=output)


def open_hook(args: Namespace) -> BatchApiHook:
    """The hook of ``--conn-id``, or of the only connection to a batch API."""
    if args.conn_id:
        return BatchApiHook.for_connection(args.conn_id)
    found = [each.conn_id for each in listed_connections()]
    if len(found) != 1:
        which = f"there are {', '.join(found)}" if found else "there is none to a batch API that could be the default"
        raise AirflowException(f"Name the connection with --conn-id: {which}.")
    return BatchApiHook.for_connection(found[0])
