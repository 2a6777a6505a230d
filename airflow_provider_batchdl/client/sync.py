"""The sync client: drives a vendor's flows over ``httpx.Client``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

import httpx

from airflow_provider_batchdl.client.building import is_elsewhere
from airflow_provider_batchdl.client.conversation import AuthFlow, Conversation, finished
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.sending import SubmitJournal
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow

T = TypeVar("T")


class BatchClient(Conversation[httpx.Client]):
    """One account at one vendor.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload. Reading it blocks: submit on a worker, not in a trigger.
        single_try: send each request once, with so many seconds to connect and for the answer, whatever the rate
            limit: for a process that is about to be killed, and for a person who waits.
        answer_seconds: seconds that one answer may take, from the wait for its first byte to its last byte.
        on_exchange: called with each HTTP request, its whole answer or None, and the seconds it took.

    Use it as a context manager, or call :meth:`close`.
    """

    _http_class = httpx.Client

    def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value.

        Args:
            flow: the requests to make.
            journal: notified of requests that may not be repeated, right before they are sent.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        return finished(self._run(flow, journal))

    def authenticated(self, request: ApiRequest) -> httpx.Request:
        """``request`` with its credentials, for another library to send.

        Args:
            request: a download; one beyond the connection's origin gets none.

        Raises:
            BatchDlError: it needs a token, and the token request failed.
        """
        return finished(self._authenticated(request))

    async def _authenticated(self, request: ApiRequest) -> httpx.Request:
        await self._sign_in_for(request)
        message = self._message(request)
        if not is_elsewhere(self.vendor, request):
            await self._throttle.acquire(self._sleep)
            async with self._signing(request, message):
                pass
        return message

    def renewed(self, request: ApiRequest) -> httpx.Request | None:
        """``request`` with new credentials after a rejection; None where they cannot be renewed."""
        return None if is_elsewhere(self.vendor, request) else finished(self._renewed(request))

    async def _renewed(self, request: ApiRequest) -> httpx.Request | None:
        message = self._message(request)
        async with self._signing(request, message) as (exchange, flow):
            try:
                out = await flow.asend(httpx.Response(httpx.codes.UNAUTHORIZED, request=message))
            except StopAsyncIteration:
                return None
            await self._sign(exchange, flow, out, message)
        await self._throttle.acquire(self._sleep)
        return message

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn the account's rate limit from a response that another library received."""
        self._throttle.note(status, headers, self.vendor.retry_after)

    def close(self) -> None:
        """Close the connections."""
        with self._closing:
            self._http.close()

    def at_close(self, close: Callable[[], object]) -> None:
        """Have ``close`` called by :meth:`close`, too: it closes another library's connections to the account."""
        self._closing.callback(close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The steps of a conversation, which block.

    async def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251

    async def _auth_flow(self, auth: httpx.Auth, message: httpx.Request) -> AuthFlow:
        flow = auth.sync_auth_flow(message)
        try:
            out = next(flow)
            while True:
                out = flow.send((yield out))
        except StopIteration:
            return
        finally:
            flow.close()

    async def _receive(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        response = self._http.send(out, auth=None, stream=True)
        try:
            answer = exchange.answer(response)
            for chunk in response.iter_raw():
                answer.feed(chunk)
        finally:
            response.close()
        return answer.whole()
