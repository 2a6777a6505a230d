"""One account's conversation with its vendor, written once for the sync and the async client.

Its methods are coroutines. Those of the sync client never suspend, since what they await blocks instead:
:func:`finished` runs them without an event loop.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any, Generic, TypeVar

import httpx
from tenacity import AsyncRetrying

from airflow_provider_batchdl._redaction.tracebacks import emptied_frames
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.building import NO_AUTH, SIGN_IN, awaits_sign_in, build_request, is_elsewhere
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.limits import ANSWER_SECONDS
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal
from airflow_provider_batchdl.client.throttle import throttle_for
from airflow_provider_batchdl.client.uploading import Opener, open_local, opened
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.flows import guarded

T = TypeVar("T")
C = TypeVar("C", httpx.Client, httpx.AsyncClient)
AuthFlow = AsyncGenerator[httpx.Request, httpx.Response]


def finished(steps: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine that never suspends."""
    with emptied_frames(coroutines=True):
        try:
            steps.send(None)
        except StopIteration as done:
            value: T = done.value
            return value
    steps.close()
    raise RuntimeError("A step of the sync client did not block.")


class Conversation(ABC, Generic[C]):
    """All of a client but how it waits; the arguments are documented there."""

    _http_class: type[C]

    def __init__(
        self,
        vendor: Vendor,
        *,
        opener: Opener = open_local,
        single_try: float | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        on_exchange: Callable[[httpx.Request, httpx.Response | None, float], None] | None = None,
    ) -> None:
        self.vendor = vendor
        self._on_exchange = on_exchange or (lambda *_: None)
        self._opener = opener
        self._auth = vendor.auth()
        self._throttle = throttle_for(vendor)
        self._single_try = single_try is not None
        self._answer_seconds = answer_seconds if single_try is None else single_try
        self._is_async = self._http_class is httpx.AsyncClient
        options = policy.client_options(vendor.account.base_url, single_try, is_async=self._is_async)
        self._http: C = self._http_class(**options)
        self._closing = ExitStack()

    @abstractmethod
    async def _sleep(self, seconds: float) -> None: ...

    @abstractmethod
    def _auth_flow(self, auth: httpx.Auth, message: httpx.Request) -> AuthFlow: ...

    @abstractmethod
    async def _receive(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        """Send one HTTP request; its response body is decoded, in memory and bounded."""

    async def _run(self, flow: Flow[T], journal: SubmitJournal | None, *, admitted: bool = False) -> T:
        driven = guarded(self.vendor, flow)
        try:
            request = next(driven)
            while True:
                try:
                    response = await self._send(request, journal, admitted=admitted)
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

    async def _send(self, request: ApiRequest, journal: SubmitJournal | None, *, admitted: bool) -> httpx.Response:
        """Send one request, with retries where that is safe; the response is a success and its body has been read."""
        sending = self._sending(None if request.repeatable else journal, admitted=admitted or self._single_try)
        if self._single_try:
            return await self._send_once(request, sending)
        await self._sleep(request.delay)
        retrying = AsyncRetrying(sleep=self._sleep, **policy.request_retries(request, sending))
        return await retrying(self._send_once, request, sending)

    async def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        await self._sign_in_for(request)
        elsewhere = is_elsewhere(self.vendor, request)
        if not sending.admitted and not elsewhere:
            await self._throttle.acquire(self._sleep)
        sending.admitted = False
        with opened(self.vendor, request.upload, self._opener) as files:
            message = self._message(request, files)
            exchange = Exchange(self.vendor, request, message, sending)
            auth = NO_AUTH if elsewhere else self._auth
            with exchange.typed():
                response = await self._converse(exchange, self._auth_flow(auth, message))
                return exchange.accepted(response, self._throttle)

    async def _converse(self, exchange: Exchange, flow: AuthFlow) -> httpx.Response:
        """Send a request with its credentials, after the token request that they may need."""
        async with aclosing(flow):
            out = await anext(flow)
            while True:
                response = await self._fetch(exchange, out)
                try:
                    out = await flow.asend(response)
                except StopAsyncIteration:
                    return response

    async def _fetch(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        exchange.starts(out)
        answer, began = None, time.monotonic()
        try:
            answer = await self._receive(exchange, out)
            return answer
        finally:
            self._on_exchange(out, answer, time.monotonic() - began)

    async def _sign_in_for(self, request: ApiRequest) -> None:
        """Get the token that alone can say where ``request`` leads, if there is none yet."""
        if awaits_sign_in(self.vendor, request):
            async with self._signing(SIGN_IN, self._message(SIGN_IN)):
                pass

    @asynccontextmanager
    async def _signing(self, request: ApiRequest, message: httpx.Request) -> AsyncIterator[tuple[Exchange, AuthFlow]]:
        """The flow that has put credentials on ``message``."""
        exchange = Exchange(self.vendor, request, message, self._sending())
        with exchange.typed():
            async with aclosing(self._auth_flow(self._auth, message)) as flow:
                await self._sign(exchange, flow, await anext(flow), message)
                yield exchange, flow

    async def _sign(self, exchange: Exchange, flow: AuthFlow, out: httpx.Request, message: httpx.Request) -> None:
        """Send what the flow asks for (a token request), from ``out`` on, until it yields ``message``."""
        while out is not message:
            out = await flow.asend(await self._fetch(exchange, out))

    def _message(self, request: ApiRequest, files: dict[str, Any] | None = None) -> httpx.Request:
        return build_request(self.vendor, request, self._http.headers, files)

    def _sending(self, journal: SubmitJournal | None = None, *, admitted: bool = False) -> Sending:
        return Sending(journal, answer_seconds=self._answer_seconds, admitted=admitted, is_async=self._is_async)
