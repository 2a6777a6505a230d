"""Shared by all commands: where connections are read from, output, and exit codes."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NoReturn

from airflow.cli.simple_table import AirflowConsole
from airflow.sdk.exceptions import AirflowException
from airflow.utils.cli import suppress_logs_and_warning

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl._values.storable import storable, storable_text
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

    Exits with 1, or with 75 if the same command may succeed later (``BatchDlError.retryable``).
    """

    @wraps(action)
    def run(args: Namespace) -> None:
        # As in Airflow's own commands: without it, connections in the metadata database are not found.
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
        try:
            action(args)
        except BatchDlError as error:
            fail(f"{type(error).__name__}: {error}", TRY_AGAIN if error.retryable else FAILED)
        except AirflowException as error:
            fail(str(error))
        except KeyboardInterrupt:
            fail("stopped.", INTERRUPTED)

    quiet: Action = suppress_logs_and_warning(run)
    return quiet


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Exit with one line of explanation."""
    print_note(f"airflow batchdl: {text}")
    raise SystemExit(code)


def print_note(text: str) -> None:
    """Print a line on standard error, apart from the command's result."""
    sys.stderr.write(storable_text(" ".join(redact(text).split())) + "\n")


def show(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Print a command's result.

    Args:
        rows: one dict each, all with the same keys.
        output: ``table``, ``json``, ``yaml`` or ``plain``.
    """
    if output in ("table", "plain"):
        rows = [{name: "-" if value is None else value for name, value in row.items()} for row in rows]
    # Vendors' texts are not markup, and bytes of a shell that are not UTF-8 cannot be printed.
    AirflowConsole(markup=False, emoji=False).print_as(data=storable(rows), output=output)


def open_hook(args: Namespace) -> BatchApiHook:
    """The hook of ``--conn-id``, or of the only connection to a batch API.

    Raises:
        AirflowException: there is no such connection; or none was named, and there are several or none.
    """
    if args.conn_id:
        return BatchApiHook.for_connection(args.conn_id)
    found = [each.conn_id for each in listed_connections()]
    if len(found) != 1:
        which = f"there are {', '.join(found)}" if found else "there is none to a batch API that could be the default"
        raise AirflowException(f"Name the connection with --conn-id: {which}.")
    return BatchApiHook.for_connection(found[0])
