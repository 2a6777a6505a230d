"""The async client: drives the same flows over ``httpx.AsyncClient``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Self, TypeVar

import httpx
from tenacity import AsyncRetrying

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.limits import ANSWER_SECONDS
from airflow_provider_batchdl.client.ratelimit import limiter_for
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.client.sync import Opener, open_local, opened
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.frames import emptied_frames
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.flows import guarded

T = TypeVar("T")


class AsyncBatchClient:
    """One account at one vendor, for the event loop it is used in.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload. Reading it blocks the loop: submit on a worker, not in a trigger.
        answer_seconds: how long one answer may take, from its first byte's wait to its last byte.

    Use it as an async context manager, or await :meth:`aclose`.
    """

    def __init__(self, vendor: Vendor, *, opener: Opener = open_local, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.vendor = vendor
        self._opener = opener
        self._auth = vendor.auth()
        self._limiter = limiter_for(vendor)
        self._answer_seconds = answer_seconds
        self._http = httpx.AsyncClient(**policy.client_options(is_async=True))

    async def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value; see the sync client for what ``journal`` is.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        with emptied_frames():
            return await self._run(guarded(self.vendor, flow), journal)

    async def _run(self, driven: Flow[T], journal: SubmitJournal | None) -> T:
        try:
            request = next(driven)
            while True:
                try:
                    response = await self.send(journaled(request, journal))
                except BatchDlError as error:
                    request = driven.throw(error)
                else:
                    request = driven.send(response)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            driven.close()

    async def send(self, request: ApiRequest) -> httpx.Response:
        """Send one request, again where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal, answer_seconds=self._answer_seconds)
        await asyncio.sleep(request.delay)
        retrying = AsyncRetrying(**policy.retry_options(request, sending))
        return await retrying(self._send_once, request, sending)

    async def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        await self._limiter.aacquire()
        with opened(self.vendor, request.upload, self._opener) as files:
            message = policy.build_request(self._http.build_request, self.vendor, request, files)
            exchange = Exchange(self.vendor, request, message, sending, is_async=True)
            with exchange.typed():
                response = await self._converse(exchange, self._auth.async_auth_flow(message))
                self._limiter.note(response.status_code, response.headers)
                return exchange.checked(response)

    async def _converse(
        self, exchange: Exchange, flow: AsyncGenerator[httpx.Request, httpx.Response]
    ) -> httpx.Response:
        """The answer to a request, with its credentials on it and what they need asked for before."""
        try:
            out = await anext(flow)
            while True:
                response = await self._fetch(exchange, out)
                try:
                    out = await flow.asend(response)
                except StopAsyncIteration:
                    return response
        finally:
            await flow.aclose()

    async def _fetch(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        """The answer to one HTTP request, its body received and decoded, in memory and bounded."""
        exchange.starts(out)
        response = await self._http.send(out, auth=None, stream=True)
        try:
            answer = exchange.answer(response)
            async for chunk in response.aiter_raw():
                answer.feed(chunk)
        finally:
            await response.aclose()
        return answer.whole()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
