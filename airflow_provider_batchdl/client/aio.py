"""The async client: drives the same flows over ``httpx.AsyncClient``."""

from __future__ import annotations

import asyncio
from typing import Self, TypeVar

import httpx
from tenacity import AsyncRetrying

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.ratelimit import limiter_for
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.client.sync import Opener, open_local, opened
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor

T = TypeVar("T")


class AsyncBatchClient:
    """One account at one vendor, for the event loop it is used in.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload. Reading it blocks the loop: submit on a worker, not in a trigger.

    Use it as an async context manager, or await :meth:`aclose`.
    """

    def __init__(self, vendor: Vendor, *, opener: Opener = open_local) -> None:
        self.vendor = vendor
        self._opener = opener
        self._auth = vendor.auth()
        self._limiter = limiter_for(vendor)
        self._http = httpx.AsyncClient(**policy.client_options())

    async def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value; see the sync client for what ``journal`` is.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        request: ApiRequest | None = None
        try:
            request = next(flow)
            while True:
                try:
                    response = await self.send(journaled(request, journal))
                except BatchDlError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as done:
            value: T = done.value
            return value
        except BatchDlError as error:
            policy.name_job(error, request)
            raise

    async def send(self, request: ApiRequest) -> httpx.Response:
        """Send one request, again where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal)
        await asyncio.sleep(request.delay)
        retrying = AsyncRetrying(**policy.retry_options(request, sending))
        return await retrying(self._send_once, request, sending)

    async def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        await self._limiter.aacquire()
        with opened(self.vendor, request.upload, self._opener) as files:
            message = policy.build_request(self._http.build_request, self.vendor, request, files)
            sending.watch(message, is_async=True)
            try:
                response = await self._read(request, await self._http.send(message, auth=self._auth, stream=True))
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise policy.transport_error(self.vendor, request, error, message, sent=sending.whole) from None
        self._limiter.note(response.status_code, response.headers)
        return policy.check_answer(self.vendor, request, response, sent=sending.whole)

    async def _read(self, request: ApiRequest, response: httpx.Response) -> httpx.Response:
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > policy.LARGEST_ANSWER:
                    raise policy.too_large(self.vendor, request)
        finally:
            await response.aclose()
        return policy.with_body(response, bytes(body))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
