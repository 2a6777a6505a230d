"""The accounts that this process watches: one :class:`AccountWatch` for each, in each event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field

from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers.watch import AccountWatch
from airflow_provider_batchdl.vendors.base import Vendor

# Seconds for which a connection is not read again: a triggerer that starts has thousands of triggers with one, and
# secrets backends are slow.
CONNECTION_SECONDS = 30.0
# What a connection's extra says about how to poll, and not about which account it is.
_NOT_THE_ACCOUNT = frozenset({"poll_interval", "max_poll_interval"})


@dataclass
class _Known:
    """What is known in one event loop."""

    hooks: dict[str, tuple[float, asyncio.Future[BatchApiHook]]] = field(default_factory=dict)
    watches: dict[tuple[str, str, str], AccountWatch] = field(default_factory=dict)


_known: dict[asyncio.AbstractEventLoop, _Known] = {}


async def account_of(conn_id: str) -> tuple[BatchApiHook, AccountWatch]:
    """The connection's hook, whose vendor has been looked up, and the watch of its account.

    Raises:
        BatchDlError: the connection is of no use.
    """
    known = _known_here()
    hook = await _hook(known, conn_id)
    key = account_key(hook.vendor)
    if key not in known.watches:
        known.watches[key] = AccountWatch(hook.vendor)
    return hook, known.watches[key]


def forget_connection(conn_id: str) -> None:
    """Read the connection anew for the next wait: what it said was refused."""
    _known_here().hooks.pop(conn_id, None)


def account_key(vendor: Vendor) -> tuple[str, str, str]:
    """What tells an account from every other, and gives no secret away.

    Connections that differ in their extra (Batch.com's project, say) are different accounts, unless only their
    poll intervals differ.
    """
    extra = {name: value for name, value in vendor.account.extra.items() if name not in _NOT_THE_ACCOUNT}
    text = json.dumps(extra, sort_keys=True, default=str)
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return vendor.name, vendor.account.fingerprint, digest


def _known_here() -> _Known:
    for loop in [loop for loop in _known if loop.is_closed()]:
        del _known[loop]
    return _known.setdefault(asyncio.get_running_loop(), _Known())


async def _hook(known: _Known, conn_id: str) -> BatchApiHook:
    loop = asyncio.get_running_loop()
    until, reading = known.hooks.get(conn_id, (0.0, None))
    if reading is None or until < loop.time() or (reading.done() and (reading.cancelled() or reading.exception())):
        reading = asyncio.ensure_future(_read(conn_id))
        known.hooks[conn_id] = (loop.time() + CONNECTION_SECONDS, reading)
    # A trigger that is cancelled must not take the answer away from the others.
    return await asyncio.shield(reading)


async def _read(conn_id: str) -> BatchApiHook:
    hook = BatchApiHook(conn_id)
    await hook.avendor()
    return hook
