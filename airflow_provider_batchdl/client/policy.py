"""What is tried again and when: one policy for the sync and the async client."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from functools import cache
from http.cookiejar import CookieJar
from typing import Any

import httpx
from tenacity import RetryCallState, stop_after_attempt

from airflow_provider_batchdl.client.answers import ahide_location, hide_location
from airflow_provider_batchdl.client.limits import AnswerLimitError
from airflow_provider_batchdl.client.ratelimit import LONGEST_PAUSE, LONGEST_WAIT
from airflow_provider_batchdl.client.sending import Sending
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    TransferError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.observers import Reason, tell_retry
from airflow_provider_batchdl.redaction import get_logger, redact, redact_url
from airflow_provider_batchdl.storable import words_of
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor

log = get_logger(__name__)

ATTEMPTS = 5
BACKOFF_CAP = 30.0
# Bytes. A job's answer may repeat its request, with a hundred thousand ids; a page of a list, those of many jobs.
LARGEST_ANSWER = 8 * 2**20
LARGEST_LIST = 32 * 2**20
TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OUR_FAULT = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


def backoff(attempt: int, retry_after: float | None = None) -> float:
    """Seconds to wait after the ``attempt``-th failure: full jitter, and what the vendor asks for, up to an hour."""
    return max(random.uniform(0, min(BACKOFF_CAP, 2.0 ** min(attempt, 10))), min(retry_after or 0.0, LONGEST_PAUSE))


def may_repeat(request: ApiRequest, error: BaseException) -> bool:
    """Whether sending ``request`` again at once, after a pause, is safe and of use."""
    if isinstance(error.__context__, AnswerLimitError):
        return False  # what took minutes would take as many again
    if isinstance(error, RateLimitedError | VendorUnavailableError) and (error.retry_after or 0.0) <= LONGEST_WAIT:
        turned_away = isinstance(error, RateLimitedError) or not error.maybe_processed
        return request.repeatable or turned_away
    return False


def retry_options(request: ApiRequest, sending: Sending) -> dict[str, Any]:
    """The keyword arguments for tenacity's ``Retrying`` and ``AsyncRetrying``."""

    def again(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return error is not None and may_repeat(request, error)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return backoff(state.attempt_number, getattr(error, "retry_after", None))

    def tell(state: RetryCallState) -> None:
        sending.turned_away()
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, BatchDlError):
            tell_retry(error.vendor, request.operation, reason(error))
            pause = state.next_action.sleep if state.next_action else 0.0
            log.info("The %s request is sent again in %.1f s: %s", request.operation, pause, error.message)

    return {
        "retry": again,
        "wait": wait,
        "stop": stop_after_attempt(ATTEMPTS),
        "before_sleep": tell,
        "reraise": True,
    }


def reason(error: BatchDlError) -> Reason:
    """Why a request that failed in this way is sent again, in a word."""
    if isinstance(error, RateLimitedError):
        return "rate_limited"
    if error.status:
        return "server_error"
    cause = error.__context__  # what httpx raised; its words are in the message
    if isinstance(cause, _NEVER_SENT):
        return "connect"
    if isinstance(cause, httpx.TimeoutException):
        return "timeout"
    return "dropped" if isinstance(cause, httpx.TransportError) else "other"


@cache
def ssl_context() -> ssl.SSLContext:
    """One TLS context for the process: making one costs some 40 ms and 600 KiB."""
    return httpx.create_ssl_context()


class _NoCookies(CookieJar):
    """Takes no cookie: two accounts may share a process, and a cookie of one must not speak for the other."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none, and do not even read them."""


def client_options(*, is_async: bool) -> dict[str, Any]:
    """What the sync and the async ``httpx`` client have in common."""
    return {
        "verify": ssl_context(),
        "timeout": TIMEOUT,
        "follow_redirects": False,  # by hand, or not at all: credentials stay on the connection's origin
        "event_hooks": {"response": [ahide_location if is_async else hide_location]},
        "cookies": _NoCookies(),
        "headers": {
            "User-Agent": user_agent(),
            "Accept": "application/json, */*;q=0.5",
            "Accept-Encoding": "identity",  # few bytes gained, and a few could become gigabytes
        },
    }


@cache
def user_agent() -> str:
    """How this package names itself."""
    from airflow_provider_batchdl import __version__

    return f"airflow-provider-batchdl/{__version__}"


def build_request(
    build: Callable[..., httpx.Request], vendor: Vendor, request: ApiRequest, files: dict[str, Any] | None = None
) -> httpx.Request:
    """The ``httpx`` request for ``request``, before authentication; ``build`` is the client's ``build_request``.

    Raises:
        InvalidRequestError: there is no such URL, or the body cannot be said in JSON.
    """
    url = vendor.account.base_url + request.path
    body: dict[str, Any] = {} if request.json is None else {"json": request.json}
    try:
        message = build(request.method, url, params=dict(request.params or {}) or None, files=files, **body)
    except BatchDlError:
        raise  # the file to submit cannot be read
    except Exception as error:  # the request is the user's, and whatever it is made of may raise what it likes
        raise InvalidRequestError(
            f"The {request.operation} request cannot be made: {words_of(error) or type(error).__name__}.",
            vendor=vendor.name,
            job_id=request.job_id,
            remedy="Check the task's request, which must be plain JSON (a date as text), and the connection's host.",
        ) from error
    message.__class__ = _Request
    return message


class _Request(httpx.Request):
    """A request whose representation has no key in its URL: error reporters show it."""

    def __repr__(self) -> str:
        return redact(super().__repr__())


def transport_error(
    vendor: Vendor, request: ApiRequest, error: Exception, message: httpx.Request | None = None, *, sent: bool = True
) -> BatchDlError:
    """The typed error for a request that got no answer.

    Args:
        vendor: who did not answer.
        request: what was asked.
        error: what ``httpx`` says.
        message: ``request`` as it was to be sent; where ``error`` is about another, a token's, it was not yet sent.
        sent: whether all of it may have been sent.
    """
    if isinstance(error, _OUR_FAULT):
        # Not its words: for a header they are the header's value, which may be the key.
        return InvalidRequestError(
            f"The {request.operation} request cannot be sent: it breaks the rules of HTTP.",
            vendor=vendor.name,
            job_id=request.job_id,
            remedy="Check the connection's password and extra for line breaks, and that the file is not being written.",
        )
    reason = words_of(error) or type(error).__name__
    about = getattr(error, "_request", None)
    before = message is not None and about is not None and about is not message
    return VendorUnavailableError(
        f"No answer from {vendor.label} to the {request.operation} request: {reason}.",
        vendor=vendor.name,
        job_id=request.job_id,
        maybe_processed=sent and not before and not isinstance(error, _NEVER_SENT),
        remedy=f"Check that {redact_url(vendor.account.base_url)} can be reached from here.",
    )


def unreadable(vendor: Vendor, error: Exception) -> BatchDlError:
    """The error for a file to submit that cannot be read, or not to its end: the vendor has no whole request."""
    passing = isinstance(error, ConnectionError | TimeoutError)
    kind: type[BatchDlError] = TransferError if passing else InvalidRequestError
    reason = words_of(error) or type(error).__name__
    return kind(
        f"The file to submit cannot be read: {reason}.",
        vendor=vendor.name,
        remedy="Check the task's file, and the connection to the store it is in.",
    )
