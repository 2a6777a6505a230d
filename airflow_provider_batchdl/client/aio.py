"""The async client: drives the same flows over ``httpx.AsyncClient``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Self, TypeVar

import httpx
from tenacity import AsyncRetrying

from airflow_provider_batchdl._redaction.tracebacks import emptied_frames
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.building import NO_AUTH, SIGN_IN, awaits_sign_in, build_request, is_elsewhere
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.limits import ANSWER_SECONDS
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.client.sync import Opener, open_local, opened
from airflow_provider_batchdl.client.throttle import throttle_for
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.flows import guarded

T = TypeVar("T")


class AsyncBatchClient:
    """One account at one vendor, for the event loop it is used in.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload. Reading it blocks the loop: submit on a worker, not in a trigger.
        answer_seconds: seconds that one answer may take, from the wait for its first byte to its last byte.

    Use it as an async context manager, or await :meth:`aclose`.
    """

    def __init__(self, vendor: Vendor, *, opener: Opener = open_local, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.vendor = vendor
        self._opener = opener
        self._auth = vendor.auth()
        self._throttle = throttle_for(vendor)
        self._answer_seconds = answer_seconds
        self._http = httpx.AsyncClient(**policy.client_options(vendor.account.base_url, is_async=True))

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
            return await self._run(guarded(self.vendor, flow), journal, admitted)

    async def _run(self, driven: Flow[T], journal: SubmitJournal | None, admitted: bool) -> T:
        try:
            request = next(driven)
            while True:
                try:
                    response = await self.send(journaled(request, journal), admitted=admitted)
                except BatchDlError as error:
                    request = driven.throw(error)
                else:
                    request = driven.send(response)
                admitted = False
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            driven.close()

    async def send(self, request: ApiRequest, *, admitted: bool = False) -> httpx.Response:
        """Send one request, with retries where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal, answer_seconds=self._answer_seconds, admitted=admitted)
        await asyncio.sleep(request.delay)
        retrying = AsyncRetrying(**policy.request_retries(request, sending))
        return await retrying(self._send_once, request, sending)

    async def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        if awaits_sign_in(self.vendor, request):
            await self._sign_in()
        elsewhere = is_elsewhere(self.vendor, request)
        if not sending.admitted and not elsewhere:
            await self._throttle.aacquire()
        sending.admitted = False
        with opened(self.vendor, request.upload, self._opener) as files:
            message = build_request(self._http.build_request, self.vendor, request, files)
            exchange = Exchange(self.vendor, request, message, sending, is_async=True)
            auth = NO_AUTH if elsewhere else self._auth
            with exchange.typed():
                response = await self._converse(exchange, auth.async_auth_flow(message))
                return exchange.accepted(response, self._throttle)

    async def _converse(
        self, exchange: Exchange, flow: AsyncGenerator[httpx.Request, httpx.Response]
    ) -> httpx.Response:
        """Send a request with its credentials, after the token request that they may need."""
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

    async def _sign_in(self) -> None:
        message = build_request(self._http.build_request, self.vendor, SIGN_IN)
        sending = Sending(answer_seconds=self._answer_seconds)
        exchange = Exchange(self.vendor, SIGN_IN, message, sending, is_async=True)
        flow = self._auth.async_auth_flow(message)
        try:
            with exchange.typed():
                out = await anext(flow)
                while out is not message:
                    out = await flow.asend(await self._fetch(exchange, out))
        finally:
            await flow.aclose()

    async def _fetch(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        """Send one HTTP request; its response body is received and decoded, in memory and bounded."""
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
