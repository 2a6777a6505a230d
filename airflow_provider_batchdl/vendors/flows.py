"""Driving a vendor's flow: what holds for every answer of every vendor, in one place.

Any error of a flow over an answer becomes a typed error about that request; an answer about another job is refused;
and no flow asks for ever.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl._values.inputs import parse_job_id
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError, UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.vendors.listing import MOST_PAGES, JobPage
from airflow_provider_batchdl.vendors.reading import has_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from airflow_provider_batchdl.vendors.base import Flow, Vendor
    from airflow_provider_batchdl.vendors.requests import ApiRequest

log = get_logger(__name__)

T = TypeVar("T")

# Bytes of all answers to one flow. Fifty thousand jobs of five kilobytes each; a list that needs more has no end.
MOST_BYTES = 256 * 2**20
LONGEST_WORDS = 300
LONGEST_ID = 100
_URL = re.compile(r"\s*https?:", re.IGNORECASE)


def immediate(value: T) -> Flow[T]:
    """A flow that asks nothing."""
    yield from ()
    return value


def value_of(flow: Flow[T], send: Callable[[ApiRequest], httpx.Response]) -> T:
    """The value of ``flow``; ``send`` answers its requests, or raises a `BatchDlError`, which the flow then gets."""
    try:
        request = next(flow)
        while True:
            try:
                response = send(request)
            except BatchDlError as error:
                request = flow.throw(error)
            else:
                request = flow.send(response)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        flow.close()


def observed(flow: Flow[T], note: Callable[[ApiRequest, httpx.Response | BatchDlError], object]) -> Flow[T]:
    """``flow``; ``note`` is called with each request and its answer, or the error that it was. Closed at the end."""
    try:
        request = next(flow)
        while True:
            try:
                response = yield request
            except BatchDlError as error:
                note(request, error)
                request = flow.throw(error)
            else:
                note(request, response)
                request = flow.send(response)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        flow.close()


def reason_of(error: Exception) -> str:
    """The words of a reader's error, fit for a message."""
    return f"{type(error).__name__}: {excerpt(error, LONGEST_WORDS)}"


class _Guard:
    """The last answer that a flow got, and the errors over it."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.request: ApiRequest | None = None
        self.response: httpx.Response | None = None
        self._answers = self._bytes = 0

    def note(self, request: ApiRequest, answer: httpx.Response | BatchDlError) -> None:
        """Note an answer, unless it is one too many."""
        self.request, self.response = request, None if isinstance(answer, BatchDlError) else answer
        self._answers += 1
        self._bytes += 0 if self.response is None else len(self.response.content)
        if self._answers >= MOST_PAGES or self._bytes > MOST_BYTES:
            raise self.unexpected("it never ends")

    @property
    def job_id(self) -> str | None:
        """The job that the last request is about."""
        return None if self.request is None else self.request.job_id

    def unexpected(self, words: str) -> UnexpectedResponseError:
        """The error for an answer that no reader should accept."""
        asked = f" to the {self.request.operation} request" if self.request is not None else ""
        status = None if self.response is None else self.response.status_code
        return UnexpectedResponseError(f"{self.vendor.label}'s answer{asked} cannot be read: {words}.", status=status)

    def unreadable(self, error: Exception) -> BatchDlError:
        """The typed error for what a flow raised over an answer."""
        log.debug("A flow for %s failed", self.vendor.label, exc_info=error)
        words = reason_of(error)
        if self.request is None:
            return InvalidRequestError(f"The request cannot be made: {words}.")
        if self.response is None:
            return self.unexpected(words)
        return self.vendor.malformed(self.request.operation, self.response, words)

    def check(self, value: object) -> None:
        """Refuse a job that is not the one asked for, or that no poll could ask for, and ids with secrets in them."""
        is_one = self.request is not None and self.request.operation in ("status", "cancel")
        if is_one and isinstance(value, Job) and self.job_id is not None and not same_id(self.job_id, value.id):
            raise self.unexpected(f"it is about another job, {excerpt(value.id, LONGEST_ID)}")
        if isinstance(value, Job) and self.job_id is None:  # of a submit, which is paid for
            try:
                next(self.vendor.get_job(parse_job_id(value.id)), None)
            except Exception as error:  # noqa: BLE001 as of any flow
                words = f"no poll can ask for the job {excerpt(value.id, LONGEST_ID)}: {reason_of(error)}"
                raise self.unexpected(words) from None
        for job in [each.job for each in value.jobs] if isinstance(value, JobPage) else jobs_in(value):
            if has_secret(job.id):
                raise self.unexpected("a job's id has a secret in it, as a signed URL has")
            refuse_links(self.vendor, job.files, job.id)


def guarded(vendor: Vendor, flow: Flow[T]) -> Flow[T]:
    """``flow``, which ends with its value or with a typed error about its job, for any answers."""
    guard = _Guard(vendor)
    try:
        try:
            value = yield from observed(flow, guard.note)
            guard.check(value)
        except (BatchDlError, MemoryError):  # the latter not because of an answer, which is bounded
            raise
        except Exception as error:  # noqa: BLE001 readers meet what nobody thought of
            raise guard.unreadable(error) from None
    except BatchDlError as error:
        # A flow that reads an answer need not know whose it is.
        error.concerns(vendor=vendor.name, job_id=guard.job_id, conn_id=vendor.account.conn_id)
        raise
    return value


def jobs_in(value: object) -> list[Job]:
    """The jobs that a flow ended with: one, or a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Job)]


def refuse_links(vendor: Vendor, files: Sequence[ResultFile], job_id: str) -> Sequence[ResultFile]:
    """``files``, of which no id is a URL or has a secret in it: ids are stored and shown, and a URL may be signed."""
    if any(_URL.match(file.id) or has_secret(file.id) for file in files):
        raise InvalidRequestError(
            f"The class of the vendor {vendor.name} has a URL as the id of a result file, and URLs may be signed. "
            "Its method locate has to ask for the URL instead, and a document has the pointer 'link' for it.",
            vendor=vendor.name,
            conn_id=vendor.account.conn_id,
            job_id=job_id,
            remedy=f"Correct the class or the document of the vendor {vendor.name}.",
        )
    return files


def same_id(one: str, other: str) -> bool:
    """True if two ids name the same job: equal as text, as whole numbers, or as UUIDs in any spelling."""
    if one == other:
        return True
    if one.isascii() and one.isdigit() and other.isascii() and other.isdigit():
        return one.lstrip("0") == other.lstrip("0")
    try:
        return uuid.UUID(one) == uuid.UUID(other)
    except ValueError:
        return False
