"""What is tried again and when: one policy for the sync and the async client."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from tenacity import RetryCallState, stop_after_attempt

from airflow_provider_batchdl.client.ratelimit import LONGEST_PAUSE, LONGEST_WAIT
from airflow_provider_batchdl.client.sending import Sending
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    TransferError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.observers import Reason, tell_retry
from airflow_provider_batchdl.redaction import excerpt, get_logger, redact, redact_url
from airflow_provider_batchdl.storable import words_of
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor

log = get_logger(__name__)

ATTEMPTS = 5
BACKOFF_CAP = 30.0
# Control answers are small; whatever is larger is not one.
LARGEST_ANSWER = 64 * 2**20
TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OUR_FAULT = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


def backoff(attempt: int, retry_after: float | None = None) -> float:
    """Seconds to wait after the ``attempt``-th failure: full jitter, and what the vendor asks for, up to an hour."""
    return max(random.uniform(0, min(BACKOFF_CAP, 2.0 ** min(attempt, 10))), min(retry_after or 0.0, LONGEST_PAUSE))


def may_repeat(request: ApiRequest, error: BaseException) -> bool:
    """Whether sending ``request`` again at once, after a pause, is safe and of use."""
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


def client_options() -> dict[str, Any]:
    """What the sync and the async ``httpx`` client have in common."""
    return {
        "verify": ssl_context(),
        "timeout": TIMEOUT,
        "follow_redirects": False,  # by hand, or not at all: credentials stay on the connection's origin
        # Two accounts may share a process; a cookie of one must not speak for the other.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "headers": {"User-Agent": user_agent(), "Accept": "application/json, */*;q=0.5"},
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
        return build(request.method, url, params=dict(request.params or {}) or None, files=files, **body)
    except (httpx.InvalidURL, TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"The {request.operation} request cannot be made: {error}.",
            vendor=vendor.name,
            job_id=request.job_id,
            remedy="Check the task's request, which must be plain JSON (a date as text), and the connection's host.",
        ) from error


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


def too_large(vendor: Vendor, request: ApiRequest) -> UnexpectedResponseError:
    """The error for an answer that no control call has."""
    return UnexpectedResponseError(
        f"{vendor.label}'s answer to the {request.operation} request is larger than {LARGEST_ANSWER:,} bytes.",
        vendor=vendor.name,
        job_id=request.job_id,
    )


def name_job(error: BatchDlError, request: ApiRequest | None) -> None:
    """Say in ``error`` which job ``request`` was about: a flow that reads an answer need not know whose it is."""
    if error.job_id is None and request is not None:
        error.job_id = redact(request.job_id) if request.job_id else None


def with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """``response`` with its decoded body in memory, as if it had been read whole."""
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def check_answer(vendor: Vendor, request: ApiRequest, response: httpx.Response, *, sent: bool = True) -> httpx.Response:
    """``response``, whose body has been read, if it is a success.

    Args:
        vendor: who answered.
        request: what was asked.
        response: the answer.
        sent: whether all of the request may have been sent.

    Raises:
        BatchDlError: what it means otherwise.
    """
    if response.is_success:
        return response
    if response.has_redirect_location:
        host = excerpt(response.headers["location"].partition("#")[0], 200)
        raise UnexpectedResponseError(
            f"{vendor.label} redirects the {request.operation} request to {host}.",
            vendor=vendor.name,
            job_id=request.job_id,
            status=response.status_code,
            remedy="It is not followed, since the key must stay on the connection's host. Set the host to the new one.",
        )
    error = vendor.error(request, response)
    if isinstance(error, VendorUnavailableError) and not sent:
        error.maybe_processed = False  # answered before the vendor had the whole request
    raise error
