"""Command ``airflow batchdl check``."""

from __future__ import annotations

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

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
    if getattr(args, "explain", None):
        explain(args.explain)
        return
    chosen = [Listed(each, "", "named") for each in args.conn_id] if args.conn_id else listed_connections()
    if not chosen:
        fail("there is no connection to test. Name those that are only in a secrets backend with --conn-id.")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda each: _test(each.conn_id), chosen))
    rows = [
        {
            "conn_id": each.conn_id,
            "type": conn_type or each.conn_type or None,
            "source": each.source,
            "status": "ok" if good else "failed",
            "message": message,
        }
        for each, (good, conn_type, message) in zip(chosen, outcomes, strict=True)
    ]
    show(rows, args.output)
    failed = [str(row["conn_id"]) for row in rows if row["status"] == "failed"]
    if failed:
        print_note(f"{len(failed)} of {len(rows)} failed: {', '.join(failed)}.")
        raise SystemExit(FAILED)


def _test(conn_id: str) -> tuple[bool, str | None, str]:
    """Test a connection: whether the vendor accepts the credentials, the connection's type, and a message."""
    try:
        hook = BatchApiHook.for_connection(conn_id)
    except BatchDlError as error:
        return False, None, redact(words_of(error))
    good, message = hook.test_connection()
    return good, hook.found_type, " ".join(message.split())
