"""What all commands have in common: where connections come from, what is printed, and how a failure ends."""

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

from airflow_provider_batchdl.cli.connections import listed_connections
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.redaction import redact

FAILED = 1
# sysexits.h: EX_TEMPFAIL, "the user is invited to try again later".
TRY_AGAIN = 75
INTERRUPTED = 130

Action = Callable[[Namespace], None]


def command(action: Action) -> Action:
    """Make ``action`` a command: it may raise what the hooks raise, which is told in one line on standard error.

    Exits with 1, or with 75 where the same command may well succeed later (``BatchDlError.retryable``).
    """

    @wraps(action)
    def run(args: Namespace) -> None:
        # As Airflow's own commands do: without it, connections come from everywhere but the metadata database.
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
    """End the command, with one line that says why."""
    tell(f"airflow batchdl: {text}")
    raise SystemExit(code)


def tell(text: str) -> None:
    """Print a line that is no part of the command's result."""
    sys.stderr.write(" ".join(redact(text).split()) + "\n")


def show(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Print a command's result.

    Args:
        rows: one dict each, all with the same keys.
        output: ``table``, ``json``, ``yaml`` or ``plain``.
    """
    if output in ("table", "plain"):
        rows = [{name: "-" if value is None else value for name, value in row.items()} for row in rows]
    # What vendors say is no markup.
    AirflowConsole(markup=False, emoji=False).print_as(data=rows, output=output)


def open_hook(args: Namespace) -> BatchApiHook:
    """The hook of ``--conn-id``; where that was left out, of the only connection there is.

    Raises:
        AirflowException: no such connection; or none was named, and there are several or none.
    """
    if args.conn_id:
        return BatchApiHook.for_connection(args.conn_id)
    found = [each.conn_id for each in listed_connections()]
    if len(found) != 1:
        which = f"which? There are {', '.join(found)}" if found else "there is none of ours to take by default"
        raise AirflowException(f"Name the connection with --conn-id: {which}.")
    return BatchApiHook.for_connection(found[0])
