"""Command ``airflow batchdl check``."""

from __future__ import annotations

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.cli.connections import Listed, listed_connections
from airflow_provider_batchdl.cli.explain import explain
from airflow_provider_batchdl.cli.session import FAILED, command, fail, print_note, show
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook

# Connections tested at once: a vendor that does not respond takes ten seconds, which the others need not wait for.
AT_ONCE = 8


@command
def check(args: Namespace) -> None:
    """Test the named connections, or all that can be listed; or explain one."""
    if args.explain:
        explain(args.explain)
        return
    chosen = [Listed(each, "", "named") for each in args.conn_id] if args.conn_id else listed_connections()
    if not chosen:
        fail("there is no connection to test. Name those that are only in a secrets backend with --conn-id.")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(_test, chosen))
    show(rows, args.output)
    failed = [row["conn_id"] for row in rows if row["status"] == "failed"]
    if failed:
        print_note(f"{len(failed)} of {len(rows)} failed: {', '.join(failed)}.")
        raise SystemExit(FAILED)


def _test(listed: Listed) -> dict[str, Any]:
    """Ask the vendor whether it accepts the credentials; the outcome as a row of the table."""
    conn_type = listed.conn_type
    try:
        hook = BatchApiHook.for_connection(listed.conn_id)
        good, message = hook.test_connection()
        conn_type = hook.found_type or conn_type
    except BatchDlError as error:
        good, message = False, redact(words_of(error))
    return {
        "conn_id": listed.conn_id,
        "type": conn_type or None,
        "source": listed.source,
        "status": "ok" if good else "failed",
        "message": " ".join(message.split()),
    }
