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

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._redaction.tracebacks import emptied_frames
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.building import NO_AUTH, SIGN_IN, awaits_sign_in, build_request, is_elsewhere
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.limits import ANSWER_SECONDS
from airflow_provider_batchdl.client.sending import Sending, SubmitJournal, journaled
from airflow_provider_batchdl.client.throttle import throttle_for
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Upload, Vendor
from airflow_provider_batchdl.vendors.flows import guarded, value_of

log = get_logger(__name__)

T = TypeVar("T")
Opener = Callable[[str], BinaryIO]
AuthFlow = Generator[httpx.Request, httpx.Response, None]


def open_local(source: str) -> BinaryIO:
    """Open a local file for reading."""
    return open(source, "rb")  # noqa: PTH123 the URL or path of an Upload


class _Source:
    """A file to upload. Its store's errors are typed here, where they cannot be taken for errors of the vendor."""

    def __init__(self, vendor: Vendor, stream: BinaryIO, source: str) -> None:
        self._vendor, self._stream, self._source = vendor, stream, source

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:  # noqa: BLE001 a store may raise anything
            raise policy.unreadable(self._vendor, error, self._source) from None  # its words may hold a signed URL

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (AttributeError, UnsupportedOperation):
            raise UnsupportedOperation("seek") from None
        except Exception as error:
            if whence:
                raise  # only how long it is; httpx can do without
            raise policy.unreadable(self._vendor, error, self._source) from None

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
        raise policy.unreadable(vendor, error, upload.source) from None
    try:
        yield {upload.field: (upload.filename, _Source(vendor, stream, upload.source), upload.content_type)}
    finally:
        try:
            stack.close()
        except Exception as error:  # noqa: BLE001 as above; and the vendor may have accepted the file
            log.warning("Cannot close the file that was submitted: %s", type(error).__name__)


class BatchClient:
    """One account at one vendor.

    Args:
        vendor: whose flows to drive.
        opener: opens the ``source`` of an upload.
        single_try: send each request once, with so many seconds to connect and for the answer, whatever the rate
            limit: for a process that is about to be killed, and for a person who waits.
        answer_seconds: seconds that one answer may take, from the wait for its first byte to its last byte.
        on_exchange: called with each HTTP request, its whole answer or None, and the seconds it took.

    Use it as a context manager, or call :meth:`close`.
    """

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
        self._on_exchange = on_exchange
        self._opener = opener
        self._auth = vendor.auth()
        self._throttle = throttle_for(vendor)
        self._single_try = single_try is not None
        self._answer_seconds = answer_seconds if single_try is None else single_try
        self._http = httpx.Client(**policy.client_options(vendor.account.base_url, is_async=False))
        self._closing = ExitStack()
        self._closing.callback(self._http.close)
        if single_try is not None:
            self._http.timeout = httpx.Timeout(single_try)

    @emptied_frames()
    def run(self, flow: Flow[T], *, journal: SubmitJournal | None = None) -> T:
        """Drive ``flow`` to its end and return its value.

        Args:
            flow: the requests to make.
            journal: notified of requests that may not be repeated, right before they are sent.

        Raises:
            BatchDlError: what went wrong, typed.
        """
        return value_of(guarded(self.vendor, flow), lambda request: self.send(journaled(request, journal)))

    def send(self, request: ApiRequest) -> httpx.Response:
        """Send one request, with retries where that is safe; the response is a success and its body has been read."""
        sending = Sending(request.journal, answer_seconds=self._answer_seconds)
        if self._single_try:
            return self._send_once(request, sending)
        time.sleep(request.delay)
        retrying = Retrying(**policy.request_retries(request, sending))
        return retrying(self._send_once, request, sending)

    def _send_once(self, request: ApiRequest, sending: Sending) -> httpx.Response:
        if awaits_sign_in(self.vendor, request):
            self._sign_in()
        elsewhere = is_elsewhere(self.vendor, request)
        if not self._single_try and not elsewhere:
            self._throttle.acquire()
        with opened(self.vendor, request.upload, self._opener) as files:
            message = build_request(self._http.build_request, self.vendor, request, files)
            exchange = Exchange(self.vendor, request, message, sending)
            auth = NO_AUTH if elsewhere else self._auth
            with exchange.typed():
                response = self._converse(exchange, auth.sync_auth_flow(message))
                return exchange.accepted(response, self._throttle)

    def _converse(self, exchange: Exchange, flow: AuthFlow) -> httpx.Response:
        """Send a request with its credentials, after the token request that they may need."""
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
        """Send one HTTP request; its response body is received and decoded, in memory and bounded."""
        if self._on_exchange is None:
            return self._receive(exchange, out)
        answer, began = None, time.monotonic()
        try:
            answer = self._receive(exchange, out)
            return answer
        finally:
            self._on_exchange(out, answer, time.monotonic() - began)

    def _receive(self, exchange: Exchange, out: httpx.Request) -> httpx.Response:
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
            request: a download; one beyond the connection's origin gets none.

        Raises:
            BatchDlError: it needs a token, and the token request failed.
        """
        if awaits_sign_in(self.vendor, request):
            self._sign_in()
        message = self._message(request)
        if is_elsewhere(self.vendor, request):
            return message
        self._throttle.acquire()
        with self._signing(request, message):
            pass
        return message

    def renewed(self, request: ApiRequest) -> httpx.Request | None:
        """``request`` with new credentials after a rejection; None where they cannot be renewed."""
        if is_elsewhere(self.vendor, request):
            return None
        message = self._message(request)
        with self._signing(request, message) as (exchange, flow):
            try:
                out = flow.send(httpx.Response(httpx.codes.UNAUTHORIZED, request=message))
            except StopIteration:
                return None
            self._sign(exchange, flow, out, message)
        self._throttle.acquire()
        return message

    def _message(self, request: ApiRequest) -> httpx.Request:
        # Not by the client, which would merge a base URL, cookies and parameters that it does not have.
        build = partial(httpx.Request, headers=self._http.headers)
        return build_request(build, self.vendor, request)

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

    def _sign_in(self) -> None:
        with self._signing(SIGN_IN, self._message(SIGN_IN)):
            pass

    def _sign(self, exchange: Exchange, flow: AuthFlow, out: httpx.Request, message: httpx.Request) -> None:
        """Send what the flow asks for (a token request), from ``out`` on, until it yields ``message``."""
        while out is not message:
            out = flow.send(self._fetch(exchange, out))

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn the account's rate limit from a response that another library received."""
        self._throttle.note(status, headers, self.vendor.retry_after)

    def close(self) -> None:
        """Close the connections."""
        self._closing.close()

    def at_close(self, close: Callable[[], object]) -> None:
        """Have ``close`` called by :meth:`close`, too: it closes another library's connections to the account."""
        self._closing.callback(close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
