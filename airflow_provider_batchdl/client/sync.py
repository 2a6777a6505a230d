"""The sync client: drives a vendor's flows over ``httpx.Client``."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Self, TypeVar

import httpx
from tenacity import Retrying

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.ratelimit import limiter_for
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Upload, Vendor

T = TypeVar("T")
Opener = Callable[[str], BinaryIO]
AuthFlow = Generator[httpx.Request, httpx.Response, None]


def open_local(source: str) -> BinaryIO:
    """Open a local file for reading."""
    return open(source, "rb")  # noqa: PTH123 the URL or path of an Upload


@contextmanager
def opened(vendor: Vendor, upload: Upload | None, opener: Opener) -> Iterator[dict[str, Any] | None]:
    """The ``files`` argument of ``httpx`` for ``upload``, which is open for as long.

    Raises:
        BatchDlError: the file cannot be opened, or not be read to its end.
    """
    if upload is None:
        yield None
        return
    try:
        with opener(upload.source) as stream:
            yield {upload.field: (upload.filename, stream, upload.content_type)}
    except BatchDlError:
        raise
    except Exception as error:  # noqa: BLE001 httpx's own are typed by now: what is left is the store's
        raise policy.unreadable(vendor, error) from None  # whose words may hold a signed URL


class BatchClient:
    """One account at one vendor.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload.
        single_try: send each request once, with so many seconds to connect and to read, whatever the rate limit: for
            a process that is about to be killed, and for a person who waits.

    Use it as a context manager, or call :meth:`close`.
    """

    def __init__(self, vendor: Vendor, *, opener: Opener = open_local, single_try: float | None = None) -> None:
        self.vendor = vendor
        self._opener = opener
        self._auth = vendor.auth()
        self._limiter = limiter_for(vendor)
        self._single_try = single_try is not None
        self._http = httpx.Client(**policy.client_options())
        if single_try is not None:
            self._http.timeout = httpx.Timeout(single_try)

    def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value.

        Args:
            flow: what to ask.
            journal: is told of requests that may not be repeated, right before they go.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        request: ApiRequest | None = None
        try:
            request = next(flow)
            while True:
                try:
                    response = self.send(journaled(request, journal))
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

    def send(self, request: ApiRequest) -> httpx.Response:
        """Send one request, again where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal)
        if self._single_try:
            return self._send_once(request, sending)
        time.sleep(request.delay)
        retrying = Retrying(**policy.retry_options(request, sending))
        return retrying(self._send_once, request, sending)

    def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        if not self._single_try:
            self._limiter.acquire()
        with opened(self.vendor, request.upload, self._opener) as files:
            message = policy.build_request(self._http.build_request, self.vendor, request, files)
            sending.watch(message)
            try:
                response = self._read(request, self._http.send(message, auth=self._auth, stream=True))
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise policy.transport_error(self.vendor, request, error, message, sent=sending.whole) from None
        self._limiter.note(response.status_code, response.headers)
        return policy.check_answer(self.vendor, request, response, sent=sending.whole)

    def authenticated(self, request: ApiRequest) -> httpx.Request:
        """``request`` with its credentials, for another library to send.

        Args:
            request: a download.

        Raises:
            BatchDlError: a token that it needs cannot be had.
        """
        self._limiter.acquire()
        message = self._message(request)
        with self._signing(request, message):
            pass
        return message

    def renewed(self, request: ApiRequest) -> httpx.Request | None:
        """The same after the credentials were refused: with new ones; None where they cannot be renewed."""
        message = self._message(request)
        with self._signing(request, message) as flow:
            try:
                self._answer(flow, flow.send(httpx.Response(httpx.codes.UNAUTHORIZED, request=message)), message)
            except StopIteration:
                return None
        self._limiter.acquire()
        return message

    def _message(self, request: ApiRequest) -> httpx.Request:
        # Not by the client, which would merge what it has none of: a base URL, cookies, parameters.
        build = partial(httpx.Request, headers=self._http.headers)
        return policy.build_request(build, self.vendor, request)

    @contextmanager
    def _signing(self, request: ApiRequest, message: httpx.Request) -> Iterator[AuthFlow]:
        """The flow that has put credentials on ``message``."""
        flow = self._auth.sync_auth_flow(message)
        try:
            self._answer(flow, next(flow), message)
            yield flow
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise policy.transport_error(self.vendor, request, error, message) from None
        finally:
            flow.close()

    def _answer(self, flow: AuthFlow, out: httpx.Request, message: httpx.Request) -> None:
        """Answer what the flow asks for (a token), from ``out`` on, until it hands ``message`` over to be sent."""
        while out is not message:
            out = flow.send(self._http.send(out))

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn the account's rate limit from a response that another library received."""
        self._limiter.note(status, headers)

    def _read(self, request: ApiRequest, response: httpx.Response) -> httpx.Response:
        """The response with its body, which is bounded, decoded and in memory."""
        body = bytearray()
        try:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > policy.LARGEST_ANSWER:
                    raise policy.too_large(self.vendor, request)
        finally:
            response.close()
        return policy.with_body(response, bytes(body))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
