"""Read an Airflow connection as a vendor's account, and register its secrets with the redactors."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from airflow_provider_batchdl._airflow import metrics
from airflow_provider_batchdl._airflow.compat import send_secret_to_supervisor, supervisor_allows_threads
from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl._values.arguments import text
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.connections import Fields, vendor_of
from airflow_provider_batchdl.vendors.extras import BadExtraError, read_extra

if TYPE_CHECKING:
    from airflow.sdk import Connection, ObjectStoragePath

    from airflow_provider_batchdl.vendors.base import Vendor

T = TypeVar("T")

LONGEST_NAME = 60

log = get_logger(__name__)

_MEMBERS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra", "uri")
_NAMED = re.compile(r"[A-Za-z][\w+.-]*://([^/@]+)@")

# Strong references: an event loop holds its tasks weakly.
_masking: set[asyncio.Task[None]] = set()


def vendor_for(connection: Connection, wanted: str | None = None) -> Vendor:
    """The vendor of the connection's type, which is to be ``wanted`` where that is given, with its account."""
    metrics.count_retries()
    _mask_new_secrets()
    vendor = vendor_of(fields_of(connection), wanted=wanted, read_file=read_document)
    if vendor.ignored_extra:
        names = ", ".join(excerpt(name, LONGEST_NAME) for name in vendor.ignored_extra)
        log.info("Ignoring unknown extra fields of connection %s: %s", vendor.account.conn_id, names)
    return vendor


def fields_of(connection: Connection) -> Fields:
    """The fields of a connection.

    Not by its ``extra_dejson``: that ignores invalid JSON, and makes Airflow mask each value, with a warning in each
    log for one as short as ``v2``. The secrets among the values are masked here.
    """
    names = ("conn_type", "host", "schema", "port", "login", "password", "extra")
    conn_id = str(connection.conn_id)
    try:
        return Fields(conn_id, **{name: getattr(connection, name) for name in names})
    except Exception as error:  # noqa: BLE001 the cipher's library has its own error for a wrong key
        raise InvalidConnectionError(
            f"Airflow connection {conn_id!r} cannot be decrypted ({type(error).__name__}).",
            conn_id=conn_id,
            remedy="Check that [core] fernet_key is the one that it was stored with, or store it again.",
        ) from None


def mask(*secrets: object) -> None:
    """Register secrets with our redactor and Airflow's; values that are not text are ignored."""
    _mask_new_secrets()
    for secret in secrets:
        if isinstance(secret, str):
            redactor.remember(secret)


def _mask_new_secrets() -> None:
    """Make Airflow mask every secret that our redactor learns."""
    if _mask_in_airflow not in redactor.on_new_secret:
        redactor.on_new_secret.append(_mask_in_airflow)


def _mask_in_airflow(secret: str) -> None:
    from airflow.sdk.log import mask_secret

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        mask_secret(secret)
        return
    if supervisor_allows_threads():
        # It blocks on a request to the supervisor, which may deadlock on the loop's own thread.
        loop.run_in_executor(None, mask_secret, secret)
    else:
        mask_secret(secret)  # for this process only, not for the triggerer's supervisor
        task = loop.create_task(send_secret_to_supervisor(secret))
        _masking.add(task)
        task.add_done_callback(_masking.discard)


async def without_blocking(action: Callable[..., T], *args: object) -> T:
    """Run a blocking request to Airflow's supervisor in a thread, if this Airflow supports that."""
    if supervisor_allows_threads():
        return await asyncio.to_thread(action, *args)
    return action(*args)


def get_connection(conn_id: str) -> Connection:
    """Get a connection from Airflow, or raise an InvalidConnectionError."""
    text("conn_id", conn_id)
    try:
        return BaseHook.get_connection(conn_id)
    except Exception as error:  # noqa: BLE001 its errors have changed with every minor release
        raise _unreadable(conn_id, error) from None  # its message may quote the connection


async def aget_connection(conn_id: str) -> Connection:
    """As :func:`get_connection`, without blocking the event loop, except in ``dag.test()``."""
    text("conn_id", conn_id)
    try:
        return await BaseHook.aget_connection(conn_id)
    except Exception as error:  # noqa: BLE001 as above
        try:
            return await without_blocking(BaseHook.get_connection, conn_id)
        except RuntimeError:  # from the event loop: so this is not dag.test(), and the first error counts
            raise _unreadable(conn_id, error) from None
        except Exception as second:  # noqa: BLE001 as above
            raise _unreadable(conn_id, second) from None


def open_source(source: str) -> BinaryIO:
    """Open the file to upload: a local path, or a URL of any store that Airflow has a connection to."""
    return cast("BinaryIO", source_path(source).open("rb"))  # type: ignore[no-untyped-call]


def read_document(source: str) -> bytes:
    """The vendor's document at a path or URL, anything ``ObjectStoragePath`` takes; of too large a one, the start."""
    from airflow_provider_batchdl.vendors.declared.reading import LARGEST

    with open_source(source) as file:
        return file.read(LARGEST + 1)


def source_path(source: str) -> ObjectStoragePath:
    """Path of the file to upload. The connection before an ``@`` must exist.

    Airflow's Amazon provider would continue with whatever credentials the machine has.
    """
    from airflow.sdk import ObjectStoragePath

    named = _NAMED.match(source)
    if named is not None:
        get_connection(named[1])
    return ObjectStoragePath(source)


def _unreadable(conn_id: str, error: Exception) -> InvalidConnectionError:
    """The typed error for a connection that Airflow cannot read, without its message, which may quote secrets."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    written = os.environ.get(name, "").strip()
    problem = _problem_of(written) if written else None
    if problem is not None:
        return InvalidConnectionError(
            f"Airflow connection {conn_id!r} cannot be read: the environment variable {name} {problem}.",
            conn_id=conn_id,
            remedy='Write it as JSON: {"conn_type": "…", "password": "…", "extra": {…}}.',
        )
    return InvalidConnectionError(
        f"Airflow does not find the connection {conn_id!r} ({type(error).__name__}).",
        conn_id=conn_id,
        remedy=f"Create it, or correct the id; if a secrets backend or {name} has it, check that it can be read here.",
        retryable=True,  # Airflow raises the same for a secrets backend that does not respond
    )


def _problem_of(written: str) -> str | None:
    """Description of the error in a connection's text; None if Airflow should be able to read it."""
    if not written.startswith("{"):
        return _problem_of_uri(written)
    try:
        members = json.loads(written)
    except json.JSONDecodeError as error:
        return f"is no JSON: {error.msg}, at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        return "is no JSON"
    return _problem_of_members(members)


def _problem_of_members(members: dict[str, Any]) -> str | None:
    unknown = sorted(name for name in members if name not in _MEMBERS)
    if unknown:
        return f"has a member {unknown[0]!r}, and there are only {', '.join(_MEMBERS)}"
    try:
        int(members.get("port") or 0)
    except (TypeError, ValueError):
        return "has a port that is no number"
    for name in ("conn_type", "host", "login", "password", "schema"):
        if not isinstance(members.get(name) or "", str):
            return f"has a {name} that is no text: write it in quotation marks"
    extra = members.get("extra")
    try:
        read_extra(extra if isinstance(extra, str | dict) or not extra else json.dumps(extra))
    except BadExtraError as error:
        return f"has an extra that {error}"
    return None


def _problem_of_uri(written: str) -> str | None:
    try:
        parts = urlsplit(written)
        _ = parts.port
    except ValueError:
        return "is neither JSON nor a URI"
    if not parts.scheme or "://" not in written:
        return "is neither JSON nor a URI"
    if "://" in written.partition("?")[2]:
        return "is a URI with '://' in its query, where that is written %3A%2F%2F"
    if written.count("://") > 2 or ("://" in written.partition("://")[2].partition("@")[2]):
        return "is a URI whose host has a scheme in it, which belongs behind the type: proofy://https://, then the rest"
    return None
