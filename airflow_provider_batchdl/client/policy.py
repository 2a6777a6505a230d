"""Retry policy and request options: the same for the sync and the async client."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from functools import cache
from typing import Any

import httpx

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.client.environment import Proxies
from airflow_provider_batchdl.client.limits import AnswerLimitError
from airflow_provider_batchdl.client.retry_events import Reason, emit_retry
from airflow_provider_batchdl.client.retrying import retry_options
from airflow_provider_batchdl.client.sending import Sending
from airflow_provider_batchdl.client.throttle import LONGEST_WAIT, MAX_HOLD
from airflow_provider_batchdl.client.transport import RoutingTransport
from airflow_provider_batchdl.exceptions import BatchDlError, RateLimitedError, VendorUnavailableError
from airflow_provider_batchdl.vendors.base import ApiRequest

log = get_logger(__name__)

ATTEMPTS = 5
BACKOFF_CAP = 30.0
# Bytes. A job's answer may repeat its request, with a hundred thousand ids; a page of a list, those of many jobs.
LARGEST_ANSWER = 8 * 2**20
LARGEST_LIST = 32 * 2**20
TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def backoff(attempt: int, retry_after: float | None = None) -> float:
    """Seconds to wait after the ``attempt``-th failure: full jitter, or Retry-After if longer, up to an hour."""
    return max(random.uniform(0, min(BACKOFF_CAP, 2.0 ** min(attempt, 10))), min(retry_after or 0.0, MAX_HOLD))


# By words of the libraries' errors, the first that is there; those of a proxy come from its answer to CONNECT.
_REMEDIES = {
    "CERTIFICATE_VERIFY_FAILED": "The certificate of {} is not trusted here. If a proxy or firewall signs for it, set "
    "REQUESTS_CA_BUNDLE on this machine to a PEM file that has its authority, too.",
    r"\b407\b": "The proxy on the way to {} asks for a user and password: set HTTPS_PROXY on this machine to "
    "http://HOST:PORT with USER:PASSWORD and '@' before HOST.",
    "(?i)resolution|resolve|not known|no address associated|getaddrinfo": "Check {} for a misspelt host, and that this "
    "machine can resolve it (DNS, or a proxy in HTTPS_PROXY).",
}


def unreachable_remedy(reason: str, host: str) -> str:
    """Remedy for a host that cannot be reached, by the words of the library's error."""
    known = (text for pattern, text in _REMEDIES.items() if re.search(pattern, reason))
    remedy = next((text.format(host) for text in known), f"Check that {host} can be reached from here.")
    proxy = None
    with suppress(BatchDlError):  # about a proxy that is none, which the call has said
        proxy = Proxies.from_environment().proxy_for(host)
    return remedy if proxy is None else f"{remedy} {proxy.variable} names the proxy on the way: {proxy.shown}."


def may_repeat(request: ApiRequest, error: BaseException) -> bool:
    """True if retrying ``request`` after a delay is safe and may help."""
    if isinstance(error.__context__, AnswerLimitError):
        return False  # what took minutes would take as many again
    if isinstance(error, RateLimitedError | VendorUnavailableError) and (error.retry_after or 0.0) <= LONGEST_WAIT:
        turned_away = isinstance(error, RateLimitedError) or not error.maybe_processed
        return request.repeatable or turned_away
    return False


def request_retries(request: ApiRequest, sending: Sending) -> dict[str, Any]:
    """The keyword arguments for tenacity's ``Retrying`` and ``AsyncRetrying`` of one request."""

    def on_retry(error: BatchDlError, seconds: float) -> None:
        sending.turned_away()
        emit_retry(error.vendor, request.operation, reason(error))
        log.info("Retrying %s request in %.1f s: %s", request.operation, seconds, error.message)

    return retry_options(
        ATTEMPTS,
        is_retryable=lambda error: may_repeat(request, error),
        delay=lambda failures, error: backoff(failures, error.retry_after),
        on_retry=on_retry,
    )


def reason(error: BatchDlError) -> Reason:
    """Reason of the retry after ``error``, in a word."""
    if isinstance(error, RateLimitedError):
        return "rate_limited"
    if error.status:
        return "server_error"
    cause = error.__context__  # what httpx raised; its words are in the message
    if isinstance(cause, NEVER_SENT):
        return "connect"
    if isinstance(cause, httpx.TimeoutException):
        return "timeout"
    return "dropped" if isinstance(cause, httpx.TransportError) else "other"


def client_options(base_url: str, single_try: float | None, *, is_async: bool) -> dict[str, Any]:
    """Options of the ``httpx`` client, sync or async, of the account at ``base_url``."""
    return {
        "transport": RoutingTransport(base_url, is_async=is_async),
        "trust_env": False,  # the transport has read it
        "timeout": TIMEOUT if single_try is None else single_try,
        "follow_redirects": False,  # by hand, or not at all: credentials stay on the connection's origin
        "headers": {
            "User-Agent": user_agent(),
            "Accept": "application/json, */*;q=0.5",
            "Accept-Encoding": "identity",  # few bytes gained, and a few could become gigabytes
        },
    }


@cache
def user_agent() -> str:
    """User-Agent of this package."""
    from airflow_provider_batchdl import __version__

    return f"airflow-provider-batchdl/{__version__}"
