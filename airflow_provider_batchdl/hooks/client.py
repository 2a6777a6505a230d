"""From an Airflow connection to the account's clients, which are open for as long as they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_batchdl.exceptions import AuthenticationError, InvalidRequestError
from airflow_provider_batchdl.hooks.account import aget_connection, open_source, vendor_for, without_blocking
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.base import Flow, Vendor

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient

T = TypeVar("T")

log = get_logger(__name__)


class ClientHook(BaseHook):
    """A connection, its vendor, and a sync and an async client of its account.

    Args:
        conn_id: the connection.
    """

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._connection: Connection | None = None
        self._client: BatchClient | None = None
        self._async_client: AsyncBatchClient | None = None

    # What the connection says.

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor, with this connection's account."""
        # Secrets backends are slow, and some are paid for by the question.
        return vendor_for(self._connection or self.get_connection(self.conn_id))

    async def avendor(self) -> Vendor:
        """The vendor, with this connection's account, looked up without blocking the event loop."""
        if "vendor" not in self.__dict__:
            # Airflow masks secrets by asking the supervisor, and waits for the answer.
            self.vendor = await without_blocking(vendor_for, await aget_connection(self.conn_id))
        return self.vendor

    @property
    def account_fingerprint(self) -> str:
        """What names the account at the vendor, and so whose jobs an id is of, without giving anything away.

        It outlives a replaced key. Where the vendor has no name for an account but its key (Revenuebase, Proofy), the
        connection's id stands for it.
        """
        who = self.vendor.account_name
        facts = (self.vendor.name, self.vendor.account.base_url, *(("name", who) if who else ("conn", self.conn_id)))
        return hashlib.blake2b("\0".join(facts).encode(errors="surrogatepass"), digest_size=12).hexdigest()

    @property
    def poll_interval(self) -> float:
        """Seconds between looks at a job: the connection extra ``poll_interval``, else the vendor's."""
        return self._seconds("poll_interval") or self.vendor.poll_interval

    @property
    def max_poll_interval(self) -> float | None:
        """Most seconds between looks at a job that takes long: the connection extra of that name."""
        return self._seconds("max_poll_interval")

    def _seconds(self, name: str) -> float | None:
        text = self.vendor.account.text(name)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise InvalidRequestError(
                f"The connection's {name} {text!r} is no number of seconds.", remedy='Set it like "30".'
            )
        return seconds

    # The sync client.

    def get_conn(self) -> BatchClient:
        """The account's client, open until :meth:`close`."""
        if self._client is None:
            from airflow_provider_batchdl.client import BatchClient

            self._client = BatchClient(self.vendor, opener=open_source)
        return self._client

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

    @contextmanager
    def _open_client(self) -> Iterator[BatchClient]:
        """The client that is open, or one for as long as it is needed."""
        if self._client is not None:
            yield self._client
            return
        client = self.get_conn()
        try:
            yield client
        finally:
            self.close()

    def _once(self, action: Callable[[BatchClient], T]) -> T:
        with self._open_client() as client:
            return action(client)

    def _run(self, flow_of: Callable[[Vendor], Flow[T]]) -> T:
        return self._repeatable(lambda client: client.run(flow_of(client.vendor)))

    def _repeatable(self, action: Callable[[BatchClient], T]) -> T:
        """Do what may be done twice: where the key is refused, again with the one that the connection has by now."""
        try:
            return self._once(action)
        except AuthenticationError:
            if not self._renew():
                raise
        return self._once(action)

    def _renew(self) -> bool:
        """Read the connection again; whether the account at the vendor has other credentials by now."""
        refused = self.vendor
        try:
            vendor = vendor_for(self.get_connection(self.conn_id))
        except Exception as problem:  # noqa: BLE001 what Airflow raises for a connection differs by its version
            # Not its words: they may be the connection's.
            log.warning("Connection %s cannot be read again: %s.", self.conn_id, type(problem).__name__)
            return False
        if vendor.name != refused.name or vendor.account == refused.account:
            return False
        log.info("The key was refused, and connection %s has another by now: going on with that.", self.conn_id)
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
        if self._async_client is not None:
            return await self._async_client.run(flow_of(self._async_client.vendor))
        from airflow_provider_batchdl.client import AsyncBatchClient

        async with AsyncBatchClient(await self.avendor(), opener=open_source) as client:
            return await client.run(flow_of(client.vendor))
