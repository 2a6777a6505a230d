"""From an Airflow connection to a vendor's account, its secrets made known to the redactors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from airflow.sdk import BaseHook

from airflow_provider_batchdl import metrics, redaction, vendors
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.account import Account, base_url

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_batchdl.vendors.base import Vendor

T = TypeVar("T")

_SECRET_WORDS = ("secret", "token", "password", "key", "credential", "signature")

# A loop holds its tasks weakly.
_telling: set[asyncio.Task[None]] = set()


def vendor_for(connection: Connection) -> Vendor:
    """The vendor that the connection's type names, with the connection's account.

    Raises:
        InvalidRequestError: no vendor has that name, or the connection lacks what the vendor needs.
    """
    metrics.count_retries()
    try:
        vendor = vendors.vendor_class(str(connection.conn_type))
    except LookupError as error:
        raise InvalidRequestError(
            str(error), remedy=f"Correct the type of the Airflow connection {connection.conn_id!r}."
        ) from error
    extra = connection.extra_dejson
    account = Account(
        base_url=base_url(connection.host, vendor.default_host, schema=connection.schema, port=connection.port),
        secret=(connection.password or "").strip(),
        login=connection.login or None,
        extra=extra,
    )
    mask(account.secret, *(value for name, value in extra.items() if _is_secret(name)))
    if not account.secret:
        raise InvalidRequestError(
            f"The Airflow connection {connection.conn_id!r} has no password.",
            vendor=vendor.name,
            remedy=f"Put {vendor.label}'s key, secret or token into its password field.",
        )
    return vendor(account)


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS) and name != "token_url"


def mask(*secrets: object) -> None:
    """Tell our redactor and Airflow's about the secrets, in all their forms."""
    if _tell_airflow not in redaction.on_new_secret:
        redaction.on_new_secret.append(_tell_airflow)
    for secret in secrets:
        if isinstance(secret, str):
            redaction.remember(secret)


def _tell_airflow(secret: str) -> None:
    from airflow.sdk.log import mask_secret

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        mask_secret(secret)
        return
    if _threads_may_ask():
        # It speaks with the supervisor and blocks: on the loop's own thread that may be a deadlock.
        loop.run_in_executor(None, mask_secret, secret)
    else:
        mask_secret(secret)  # for this process; a triggerer's supervisor does not hear it from here
        task = loop.create_task(_tell_supervisor(secret))
        _telling.add(task)
        task.add_done_callback(_telling.discard)


async def _tell_supervisor(secret: str) -> None:
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import MaskSecret

    comms: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    # Any other has heard it: it is only a triggerer's that refuses to be waited for on the loop.
    if type(comms).__name__ == "TriggerCommsDecoder":
        await comms.asend(MaskSecret(value=secret))


@cache
def _threads_may_ask() -> bool:
    """Whether Airflow's supervisor may be asked from several threads at once.

    Before 3.2.2 the answers get mixed up, and a triggerer ends with "Response read out of order!"
    (https://github.com/apache/airflow/issues/64620). There, all is asked on the loop.
    """
    from airflow import __version__
    from packaging.version import Version

    return Version(__version__) >= Version("3.2.2")


async def without_blocking(action: Callable[..., T], *args: object) -> T:
    """What speaks with Airflow's supervisor, and blocks, done in a thread where Airflow bears that."""
    if _threads_may_ask():
        return await asyncio.to_thread(action, *args)
    return action(*args)


async def aget_connection(conn_id: str) -> Connection:
    """The connection, without blocking the loop; ``dag.test()`` has only the blocking way."""
    try:
        return await BaseHook.aget_connection(conn_id)
    except Exception as error:  # noqa: BLE001 what it raises there has changed with every minor release
        try:
            return await without_blocking(BaseHook.get_connection, conn_id)
        except RuntimeError:  # not on a loop: then it is no dag.test(), and the first says what is wrong
            raise error from None


def open_source(source: str) -> BinaryIO:
    """Open the file to upload: a local path, or a URL of any store that Airflow has a connection to."""
    from airflow.sdk import ObjectStoragePath

    return cast("BinaryIO", ObjectStoragePath(source).open("rb"))  # type: ignore[no-untyped-call]
