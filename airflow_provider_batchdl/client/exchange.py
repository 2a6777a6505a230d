"""One request of a flow and its answer, up to the typed error: the same for the sync and the async client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from airflow_provider_batchdl._redaction.redactor import cause_of, excerpt, get_logger, redact_url
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.client.answers import Answer, UnreadableAnswerError
from airflow_provider_batchdl.client.building import is_elsewhere
from airflow_provider_batchdl.client.limits import AnswerLimitError
from airflow_provider_batchdl.client.policy import NEVER_SENT, unreachable_remedy
from airflow_provider_batchdl.client.sending import Sending
from airflow_provider_batchdl.client.throttle import Throttle
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor
from airflow_provider_batchdl.vendors.errors import store_error
from airflow_provider_batchdl.vendors.retry_after import asked_wait

log = get_logger(__name__)

LONGEST_WORDS = 300
# Errors that an error of `httpx` comes from, one from another.
DEEPEST_CAUSE = 6

_OUR_FAULT = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
# OpenSSL's errors, of 1.1 and of 3, for an answer that is no TLS at all.
_NO_TLS = re.compile(r"\[SSL: (?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|UNKNOWN_PROTOCOL)\]")


class Exchange:
    """A request under way, as ``message``, with those that its credentials need before it."""

    def __init__(self, vendor: Vendor, request: ApiRequest, message: httpx.Request, sending: Sending) -> None:
        self._vendor, self._request, self._message, self._sending = vendor, request, message, sending
        self._out = message
        self._status: int | None = None
        self._about: dict[str, Any] = {"vendor": vendor.name, "job_id": request.job_id}

    def starts(self, out: httpx.Request) -> None:
        """Note that ``out`` is sent next: ``message``, or a token request that its credentials need."""
        self._out, self._status = out, None
        # A token's request is watched, too, since that limits what its answer may take; but it is no submit's first.
        sending = self._sending if out is self._message else self._sending.of_credentials()
        sending.watch(out)

    def answer(self, response: httpx.Response) -> Answer:
        """Collector for the body of ``response``."""
        self._status = response.status_code
        is_list = self._request.operation == "list" and self._out is self._message
        return Answer(response, policy.LARGEST_LIST if is_list else policy.LARGEST_ANSWER)

    @contextmanager
    def typed(self) -> Iterator[None]:
        """Turn whatever HTTP libraries, codecs and readers raise over this request or its answer into a typed error."""
        try:
            yield
        except (BatchDlError, MemoryError):  # an answer is bounded: short memory is this machine's problem
            raise
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._unanswered(error) from None
        except Exception as error:  # noqa: BLE001 see above
            raise self._unreadable(error) from None

    def _unanswered(self, error: Exception) -> BatchDlError:
        operation = self._request.operation
        if isinstance(error, _OUR_FAULT):
            # Not its message: for a header, it holds the header's value, which may be a secret.
            return InvalidRequestError(
                f"The {operation} request cannot be sent: it breaks the rules of HTTP.",
                remedy="Check the connection's password and extra for line breaks, and that the file is not being "
                "written.",
                **self._about,
            )
        if _NO_TLS.search(words_of(error)):
            where = redact_url(str(self._out.url.join("/")))
            return self._vendor.account.wrong(
                "host",
                f"leads to {where}, where something answers that speaks no https",
                "Write http:// before the host if that is meant; else see which port it needs, and what proxy is "
                "between.",
                vendor=self._vendor.name,
            )
        reason = _reason_of(error)
        never_sent = isinstance(error, NEVER_SENT) or self._out is not self._message
        return VendorUnavailableError(
            f"No answer from {self._vendor.label} to the {operation} request: {reason}.",
            maybe_processed=self._sending.whole and not never_sent,
            remedy=unreachable_remedy(reason, redact_url(self._vendor.base_url)),
            **self._about,
        )

    def _unreadable(self, error: Exception) -> BatchDlError:
        label, operation = self._vendor.label, self._request.operation
        words = excerpt(error, LONGEST_WORDS)
        if not isinstance(error, UnreadableAnswerError | AnswerLimitError):
            log.debug("The %s request to %s failed", operation, label, exc_info=error)
            words = f"{type(error).__name__}: {words}" if words else type(error).__name__
        if self._out is not self._message or not self._sending.whole:
            what = "token" if self._out is not self._message else operation
            return VendorUnavailableError(
                f"The {operation} request was not sent to {label}: its {what} request failed ({words}).",
                **self._about,
                status=self._status,
                maybe_processed=False,
            )
        return UnexpectedResponseError(
            f"{label}'s answer to the {operation} request cannot be read: {words}.",
            **self._about,
            status=self._status,
        )

    def accepted(self, response: httpx.Response, throttle: Throttle) -> httpx.Response:
        """``response``, whose body has been read; raises what a refusal means. The throttle learns from it."""
        if is_elsewhere(self._vendor, self._request):
            if response.is_success:
                return response
            raise self._redirected(response) or store_error(response, **self._about)
        throttle.note(response.status_code, response.headers, self._vendor.retry_after)
        if response.status_code in self._request.accepts:
            return response
        error = self._redirected(response) or self._vendor.refusal(self._request, response)
        if error is None and not response.is_success and response.status_code < httpx.codes.BAD_REQUEST:
            error = self._vendor.error(self._request, response)
        if error is None:
            return response
        if isinstance(error, RateLimitedError):
            if error.retry_after is None:
                error.retry_after = asked_wait(self._vendor.retry_after, response.headers)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                throttle.hold(error.retry_after or 0.0)
        error.concerns(**self._about)
        error.status = error.status or response.status_code
        if isinstance(error, VendorUnavailableError) and not self._sending.whole:
            error.maybe_processed = False  # answered before the vendor had the whole request
        raise error

    def _redirected(self, response: httpx.Response) -> UnexpectedResponseError | None:
        if response.has_redirect_location:
            host = excerpt(response.headers["location"].partition("#")[0], 200)
            return UnexpectedResponseError(
                f"{self._vendor.label} redirects the {self._request.operation} request to {host}.",
                **self._about,
                status=response.status_code,
                remedy=(
                    "It is not followed: credentials must stay on the connection's host. Set the host to the new one."
                ),
            )
        return None


def _reason_of(error: BaseException) -> str:
    """The words of an error; of what it came from if it has none, as with the async client's library."""
    each: BaseException | None = error
    for _ in range(DEEPEST_CAUSE):
        if each is None:
            break
        if words := words_of(each):
            return words
        each = cause_of(each)
    return type(error).__name__
