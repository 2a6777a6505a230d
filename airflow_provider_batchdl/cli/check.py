"""``airflow batchdl check``."""

from __future__ import annotations

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from airflow_provider_batchdl.cli.connections import Listed, listed_connections
from airflow_provider_batchdl.cli.session import FAILED, command, fail, show, tell
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.storable import words_of

# A vendor that does not answer takes ten seconds, and need not take them from the others.
AT_ONCE = 8


@command
def check(args: Namespace) -> None:
    """Test connections, all that can be listed or those that are named."""
    chosen = [Listed(each, "", "named") for each in args.conn_id] if args.conn_id else listed_connections()
    if not chosen:
        fail("there is no connection to test. Name those that only a secrets backend knows with --conn-id.")
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
        tell(f"{len(failed)} of {len(rows)} failed: {', '.join(failed)}.")
        raise SystemExit(FAILED)


def _test(conn_id: str) -> tuple[bool, str | None, str]:
    """Whether the vendor accepts the credentials, the connection's type, and what there is to say."""
    try:
        conn_type = BaseHook.get_connection(conn_id).conn_type
        hook = BatchApiHook.for_connection(conn_id)
    except AirflowException as error:
        return False, None, redact(words_of(error))
    good, message = hook.test_connection()
    return good, conn_type, " ".join(message.split())
