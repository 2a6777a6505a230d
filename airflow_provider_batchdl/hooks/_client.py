"""Base of the hooks: opens and closes the sync and async clients of a connection's account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger, redact
from airflow_provider_batchdl._redaction.tracebacks import brief
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.exceptions import AuthenticationError, BatchDlError
from airflow_provider_batchdl.hooks._account import (
    LONGEST_NAME,
    aget_connection,
    get_connection,
    open_source,
    vendor_for,
    without_blocking,
)
from airflow_provider_batchdl.vendors.base import Flow, Vendor
from airflow_provider_batchdl.vendors.extras import seconds

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient

T = TypeVar("T")

log = get_logger(__name__)

# Seconds; somebody waits for the Test button.
TEST_SECONDS = 10.0


class ClientHook(BaseHook):
    """Hook with a connection, its vendor, and a sync and an async client of its account."""

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._connection: Connection | None = None
        self._client: BatchClient | None = None
        self._async_client: AsyncBatchClient | None = None
        self.single_try: float | None = None
        """If set before the first request, each is sent once, with so many seconds, for a person who waits."""

    # What the connection says.

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor, with this connection's account."""
        # Cached: secrets backends are slow, and some are paid per request.
        with brief():
            return vendor_for(self._connection or get_connection(self.conn_id), self._wanted_type)

    async def avendor(self) -> Vendor:
        """The vendor, with this connection's account, looked up without blocking the event loop."""
        if "vendor" not in self.__dict__:
            # Airflow masks secrets by a request to the supervisor, and waits for the response.
            with brief():
                connection = await aget_connection(self.conn_id)
                self.vendor = await without_blocking(vendor_for, connection, self._wanted_type)
        return self.vendor

    @property
    def _wanted_type(self) -> str | None:
        """The required connection type; None for any vendor's."""
        return None

    @property
    def found_type(self) -> str | None:
        """The connection's type, whatever it is."""
        return (self._connection or get_connection(self.conn_id)).conn_type

    @property
    def account_fingerprint(self) -> str:
        """Digest that identifies the account at the vendor, and so whose jobs an id refers to; not secret.

        It survives a replaced key. For a vendor without a name for accounts (Revenuebase, Proofy), the connection's id
        stands for it.
        """
        who = self.vendor.account_name
        facts = (self.vendor.name, self.vendor.account.base_url, *(("name", who) if who else ("conn", self.conn_id)))
        return hashlib.blake2b("\0".join(facts).encode(errors="surrogatepass"), digest_size=12).hexdigest()

    @property
    def poll_interval(self) -> float:
        """Seconds between polls of a job: the connection's extra ``poll_interval``, else the vendor's."""
        return seconds(self.vendor.account, "poll_interval") or self.vendor.poll_interval

    @property
    def max_poll_interval(self) -> float | None:
        """Most seconds between polls of an old job: the connection's extra of that name; None without one."""
        return seconds(self.vendor.account, "max_poll_interval")

    # The sync client.

    def get_conn(self) -> BatchClient:
        """The account's client, open until :meth:`close`."""
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def _new_client(self) -> BatchClient:
        from airflow_provider_batchdl.client import BatchClient

        return BatchClient(self.vendor, opener=open_source, single_try=self.single_try)

    def close(self) -> None:
        """Close the client's connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self) -> Self:
        self.get_conn()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _once(self, action: Callable[[BatchClient], T]) -> T:
        """Run ``action`` with the open client, or with one of its own, since other threads may have this hook, too."""
        with brief():
            if (opened := self._client) is not None:
                return action(opened)
            with self._new_client() as client:
                return action(client)

    def _run(self, flow_of: Callable[[Vendor], Flow[T]]) -> T:
        return self._repeatable(lambda client: client.run(flow_of(client.vendor)))

    def _repeatable(self, action: Callable[[BatchClient], T]) -> T:
        """Run an idempotent action; if the credentials are rejected, retry it once with the connection's new ones."""
        try:
            return self._once(action)
        except AuthenticationError:
            if not self._renew():
                raise
        return self._once(action)

    def _renew(self) -> bool:
        """Reload the connection; return whether it has new credentials for the account."""
        refused = self.vendor
        try:
            vendor = vendor_for(get_connection(self.conn_id), self._wanted_type)
        except Exception as problem:  # noqa: BLE001 Airflow's errors for a connection differ by version
            # Not its message, which may quote the connection.
            log.warning(
                "Credentials rejected, and cannot reload connection %s: %s", self.conn_id, type(problem).__name__
            )
            return False
        if vendor.name != refused.name or vendor.account == refused.account:
            return False
        log.info("Credentials rejected; connection %s now has new ones, retrying with them", self.conn_id)
        is_open = self._client is not None
        self.close()
        self.vendor = vendor
        if is_open:
            self.get_conn()
        return True

    # The async client.

    async def __aenter__(self) -> Self:
        from airflow_provider_batchdl.client import AsyncBatchClient

        self._async_client = AsyncBatchClient(await self.avendor(), opener=open_source)
        return self

    async def __aexit__(self, *_: object) -> None:
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.aclose()

    async def _arun(self, flow_of: Callable[[Vendor], Flow[T]]) -> T:
        with brief():
            if self._async_client is not None:
                return await self._async_client.run(flow_of(self._async_client.vendor))
            from airflow_provider_batchdl.client import AsyncBatchClient

            async with AsyncBatchClient(await self.avendor(), opener=open_source) as client:
                return await client.run(flow_of(client.vendor))

    # The Test button.

    def test_connection(self) -> tuple[bool, str]:
        """Ask the vendor, once, whether it accepts the credentials, as the Test button does.

        Returns:
            Whether it does, and a message to show, redacted.
        """
        from airflow_provider_batchdl.client import BatchClient

        try:
            with BatchClient(self.vendor, single_try=TEST_SECONDS) as client:
                return True, self._accepted(client.run(client.vendor.check()))
        except BatchDlError as error:
            return False, redact(words_of(error))

    async def atest_connection(self) -> tuple[bool, str]:
        """As :meth:`test_connection`."""
        try:
            return True, self._accepted(await self._arun(lambda vendor: vendor.check()))
        except BatchDlError as error:
            return False, redact(words_of(error))

    def _accepted(self, words: str) -> str:
        """Message of a connection that works, with its fields that have no effect."""
        ignored = ", ".join(excerpt(name, LONGEST_NAME) for name in self.vendor.ignored_extra)
        return f"{words} Ignored unknown extra fields: {ignored}." if ignored else words
