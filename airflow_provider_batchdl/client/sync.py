"""The sync client: drives a vendor's flows over ``httpx.Client``."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from io import UnsupportedOperation
from typing import Any, BinaryIO, Self, TypeVar

import httpx
from tenacity import Retrying

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.limits import ANSWER_SECONDS
from airflow_provider_batchdl.client.ratelimit import limiter_for
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.frames import emptied_frames
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Upload, Vendor
from airflow_provider_batchdl.vendors.flows import guarded

log = get_logger(__name__)

T = TypeVar("T")
Opener = Callable[[str], BinaryIO]
AuthFlow = Generator[httpx.Request, httpx.Response, None]


def open_local(source: str) -> BinaryIO:
    """Open a local file for reading."""
    return open(source, "rb")  # noqa: PTH123 the URL or path of an Upload


class _Source:
    """A file to upload. What its store raises is typed here, where it cannot be taken for trouble with the vendor."""

    def __init__(self, vendor: Vendor, stream: BinaryIO) -> None:
        self._vendor, self._stream = vendor, stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:  # noqa: BLE001 a store raises what it likes
            raise policy.unreadable(self._vendor, error) from None  # its words may hold a signed URL

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (AttributeError, UnsupportedOperation):
            raise UnsupportedOperation("seek") from None
        except Exception as error:
            if whence:
                raise  # only how long it is; httpx can do without
            raise policy.unreadable(self._vendor, error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def opened(vendor: Vendor, upload: Upload | None, opener: Opener) -> Iterator[dict[str, Any] | None]:
    """The ``files`` argument of ``httpx`` for ``upload``, which is open for as long.

    Raises:
        BatchDlError: the file cannot be opened, or not be read to its end.
    """
    if upload is None:
        yield None
        return
    stack = ExitStack()
    try:
        stream = stack.enter_context(opener(upload.source))
    except Exception as error:  # noqa: BLE001 as above
        raise policy.unreadable(vendor, error) from None
    try:
        yield {upload.field: (upload.filename, _Source(vendor, stream), upload.content_type)}
    finally:
        try:
            stack.close()
        except Exception as error:  # noqa: BLE001 as above; and by now the vendor may have taken the file
            log.warning("The file that was submitted cannot be closed: %s.", type(error).__name__)


class BatchClient:
    """One account at one vendor.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload.
        single_try: send each request once, with so many seconds to connect and for the answer, whatever the rate
            limit: for a process that is about to be killed, and for a person who waits.
        answer_seconds: how long one answer may take, from its first byte's wait to its last byte.

    Use it as a context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        vendor: Vendor,
        *,
        opener: Opener = open_local,
        single_try: float | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.vendor = vendor
        self._opener = opener
        self._auth = vendor.auth()
        self._limiter = limiter_for(vendor)
        self._single_try = single_try is not None
        self._answer_seconds = answer_seconds if single_try is None else single_try
        self._http = httpx.Client(**policy.client_options(is_async=False))
        if single_try is not None:
            self._http.timeout = httpx.Timeout(single_try)

    @emptied_frames()
    def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value.

        Args:
            flow: what to ask.
            journal: is told of requests that may not be repeated, right before they go.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        driven = guarded(self.vendor, flow)
        try:
            request = next(driven)
            while True:
                try:
                    response = self.send(journaled(request, journal))
                except BatchDlError as error:
                    request = driven.throw(error)
                else:
                    request = driven.send(response)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            driven.close()

    def send(self, request: ApiRequest) -> httpx.Response:
        """Send one request, again where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal, answer_seconds=self._answer_seconds)
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
            exchange = Exchange(self.vendor, request, message, sending)
            with exchange.typed():
                response = self._converse(exchange, self._auth.sync_auth_flow(message))
                self._limiter.note(response.status_code, response.headers)
                return exchange.checked(response)

    def _converse(self, exchange: Exchange, flow: AuthFlow) -> httpx.Response:
        """The answer to a request, with its credentials on it and what they need asked for before."""
        try:
            out = next(flow)
            while True:
                response = self._fetch(exchange, out)
                try:
                    out = flow.send(response)
                except StopIteration:
                    return response
        finally:
            flow.close()

    def _fetch(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
        """The answer to one HTTP request, its body received and decoded, in memory and bounded."""
        exchange.starts(out)
        response = self._http.send(out, auth=None, stream=True)
        try:
            answer = exchange.answer(response)
            for chunk in response.iter_raw():
                answer.feed(chunk)
        finally:
            response.close()
        return answer.whole()

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
        with self._signing(request, message) as (exchange, flow):
            try:
                out = flow.send(httpx.Response(httpx.codes.UNAUTHORIZED, request=message))
            except StopIteration:
                return None
            self._sign(exchange, flow, out, message)
        self._limiter.acquire()
        return message

    def _message(self, request: ApiRequest) -> httpx.Request:
        # Not by the client, which would merge what it has none of: a base URL, cookies, parameters.
        build = partial(httpx.Request, headers=self._http.headers)
        return policy.build_request(build, self.vendor, request)

    @contextmanager
    def _signing(self, request: ApiRequest, message: httpx.Request) -> Iterator[tuple[Exchange, AuthFlow]]:
        """The flow that has put credentials on ``message``."""
        flow = self._auth.sync_auth_flow(message)
        exchange = Exchange(self.vendor, request, message, Sending(answer_seconds=self._answer_seconds))
        try:
            with exchange.typed():
                self._sign(exchange, flow, next(flow), message)
                yield exchange, flow
        finally:
            flow.close()

    def _sign(self, exchange: Exchange, flow: AuthFlow, out: httpx.Request, message: httpx.Request) -> None:
        """Answer what the flow asks for (a token), from ``out`` on, until it hands ``message`` over to be sent."""
        while out is not message:
            out = flow.send(self._fetch(exchange, out))

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn the account's rate limit from a response that another library received."""
        self._limiter.note(status, headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
