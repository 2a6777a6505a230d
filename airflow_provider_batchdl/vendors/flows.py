"""Driving a vendor's flow: what holds for every answer of every vendor, in one place.

Whatever a flow raises over an answer is a typed error about that request; an answer about another job is not believed;
and no flow asks for ever.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.redaction import excerpt, get_logger, redact
from airflow_provider_batchdl.vendors.listing import MOST_PAGES

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.base import Flow, Vendor
    from airflow_provider_batchdl.vendors.requests import ApiRequest

log = get_logger(__name__)

T = TypeVar("T")

# Bytes of all answers to one flow. Fifty thousand jobs of five kilobytes each; a list that needs more has no end.
MOST_BYTES = 256 * 2**20
LONGEST_WORDS = 300
LONGEST_ID = 100


def answer(value: T) -> Flow[T]:
    """A flow that asks nothing."""
    yield from ()
    return value


def guarded(vendor: Vendor, flow: Flow[T]) -> Flow[T]:
    """``flow``, which ends with its value or with a typed error about its job, whatever the answers are.

    Args:
        vendor: whose flow it is.
        flow: the flow; it is closed at the end.

    Raises:
        UnexpectedResponseError: an answer cannot be read, is about another job, or there are more of them than
            any list has pages.
        InvalidRequestError: not even the first request could be made.
    """
    request: ApiRequest | None = None
    response: httpx.Response | None = None
    try:
        request = next(flow)
        received = 0
        for _ in range(MOST_PAGES):
            try:
                response = yield request
            except BatchDlError as error:
                response = None
                request = flow.throw(error)
            else:
                received += len(response.content)
                if received > MOST_BYTES:
                    break
                request = flow.send(response)
        raise _unexpected(vendor, request, response, "it goes on without end")
    except StopIteration as done:
        value: T = done.value
        _check_job(vendor, request, response, value)
        return value
    except BatchDlError as error:
        if error.job_id is None and request is not None and request.job_id:
            error.job_id = redact(request.job_id)  # a flow that reads an answer need not know whose it is
        raise
    except MemoryError:
        raise  # not because of an answer, which is bounded
    except Exception as error:  # readers meet what nobody thought of
        log.debug("A flow for %s failed", vendor.label, exc_info=error)
        words = f"{type(error).__name__}: {excerpt(error, LONGEST_WORDS)}"
        if request is None:
            raise InvalidRequestError(f"The request cannot be made: {words}.", vendor=vendor.name) from None
        raise _unexpected(vendor, request, response, words) from None
    finally:
        flow.close()


def _unexpected(
    vendor: Vendor, request: ApiRequest, response: httpx.Response | None, words: str
) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        f"{vendor.label}'s answer to the {request.operation} request cannot be read: {words}.",
        vendor=vendor.name,
        job_id=request.job_id,
        status=None if response is None else response.status_code,
    )


def _check_job(vendor: Vendor, request: ApiRequest | None, response: httpx.Response | None, value: object) -> None:
    """Refuse a job that is not the one asked for."""
    if not isinstance(value, Job) or request is None or request.job_id is None:
        return
    if request.operation in ("status", "cancel") and not same_id(request.job_id, value.id):
        raise _unexpected(vendor, request, response, f"it is about another job, {excerpt(value.id, LONGEST_ID)}")


def same_id(one: str, other: str) -> bool:
    """Whether two ids name the same job: equal as text, as whole numbers, or as UUIDs in any spelling."""
    if one == other:
        return True
    if one.isascii() and one.isdigit() and other.isascii() and other.isdigit():
        return one.lstrip("0") == other.lstrip("0")
    try:
        return uuid.UUID(one) == uuid.UUID(other)
    except ValueError:
        return False
