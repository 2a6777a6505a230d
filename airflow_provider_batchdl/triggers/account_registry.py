"""One :class:`AccountPoller` for each account, in each event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import AuthenticationError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.triggers.account_poller import AccountPoller
from airflow_provider_batchdl.vendors.base import Vendor

log = get_logger(__name__)

# Seconds for which a connection is not read again: a triggerer that starts has thousands of triggers with one, and
# secrets backends are slow.
CONNECTION_SECONDS = 30.0
# Members of a connection's extra that set how to poll, not which account it is.
_NOT_THE_ACCOUNT = frozenset({"poll_interval", "max_poll_interval"})


@dataclass
class _Known:
    """State of one event loop: connections, each with the time of its last read, and the accounts' pollers."""

    hooks: dict[str, tuple[float, asyncio.Future[BatchApiHook]]] = field(default_factory=dict)
    pollers: dict[tuple[str, str, str], AccountPoller] = field(default_factory=dict)


_known: dict[asyncio.AbstractEventLoop, _Known] = {}


async def account_of(conn_id: str, *, read_since: float = float("-inf")) -> tuple[BatchApiHook, AccountPoller]:
    """The connection's hook, with its vendor loaded, and the poller of its account."""
    for loop in [loop for loop in _known if loop.is_closed()]:
        del _known[loop]
    known = _known.setdefault(asyncio.get_running_loop(), _Known())
    hook = await _hook(known, conn_id, read_since)
    key = account_key(hook.vendor)
    if key not in known.pollers:
        known.pollers[key] = AccountPoller(hook.vendor)
    return hook, known.pollers[key]


async def account_after(
    conn_id: str, refused: Sequence[AccountPoller], error: AuthenticationError
) -> tuple[BatchApiHook, AccountPoller]:
    """The account that the connection is for now: its credentials may have been replaced since it was read.

    The connection is read once for all waits of the account. ``error`` is raised if it has no new ones.
    """
    try:
        hook, poller = await account_of(conn_id, read_since=refused[-1].requests.refused_at)
    except Exception as problem:  # noqa: BLE001 what Airflow raises for a connection differs by its version
        # Not its words: they may be the connection's.
        log.warning("Cannot read connection %s again: %s", conn_id, type(problem).__name__)
        raise error from None
    if poller in refused or poller.vendor.name != refused[-1].vendor.name:
        raise error
    return hook, poller


def account_key(vendor: Vendor) -> tuple[str, str, str]:
    """Identity of an account, with no secret in it.

    Connections that differ in their extra (Batch.com's project, say) are different accounts, unless only their
    poll intervals differ.
    """
    extra = {name: value for name, value in vendor.account.extra.items() if name not in _NOT_THE_ACCOUNT}
    text = json.dumps(extra, sort_keys=True, default=str)
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return vendor.name, vendor.account.fingerprint, digest


async def _hook(known: _Known, conn_id: str, read_since: float) -> BatchApiHook:
    now = asyncio.get_running_loop().time()
    began, reading = known.hooks.get(conn_id, (float("-inf"), None))
    outdated = began < max(read_since, now - CONNECTION_SECONDS)
    if reading is None or outdated or (reading.done() and (reading.cancelled() or reading.exception())):
        reading = asyncio.ensure_future(_read(conn_id))
        known.hooks[conn_id] = (now, reading)
    # A trigger that is cancelled must not take the answer away from the others.
    return await asyncio.shield(reading)


async def _read(conn_id: str) -> BatchApiHook:
    hook = BatchApiHook(conn_id)
    await hook.avendor()
    return hook
