"""The async client: drives the same flows over ``httpx.AsyncClient``."""

from __future__ import annotations

import asyncio
from typing import Self, TypeVar

import httpx

from airflow_provider_batchdl._redaction.tracebacks import emptied_frames
from airflow_provider_batchdl.client.conversation import AuthFlow, Conversation
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.sending import SubmitJournal
from airflow_provider_batchdl.vendors.base import Flow

T = TypeVar("T")


class AsyncBatchClient(Conversation[httpx.AsyncClient]):
    """One account at one vendor, for the event loop it is used in; the arguments are those of the sync client.

    Use it as an async context manager, or await :meth:`aclose`.
    """

    _http_class = httpx.AsyncClient

    async def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None, admitted: bool = False) -> T:
        """Drive ``flow`` to its end and return its value.

        Args:
            flow: the requests to make.
            journal: as for the sync client.
            admitted: the throttle has counted the first request already.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        with emptied_frames():
            return await self._run(flow, journal, admitted=admitted)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _auth_flow(self, auth: httpx.Auth, message: httpx.Request) -> AuthFlow:
        return auth.async_auth_flow(message)

    async def _receive(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        response = await self._http.send(out, auth=None, stream=True)
        try:
            answer = exchange.answer(response)
            async for chunk in response.aiter_raw():
                answer.feed(chunk)
        finally:
            await response.aclose()
        return answer.whole()
