"""Meaning of a vendor's answers: errors, and successes that are none. One mechanism; each vendor fills in the words."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    ResultNotReadyError,
    UnexpectedResponseError,
    UnsupportedOperationError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, kind_of, words_in
from airflow_provider_batchdl.vendors.reading import UNREADABLE, as_text, as_word, parsed, unwrapped
from airflow_provider_batchdl.vendors.refusals import (
    enclosed_error,
    is_bare_error,
    is_bare_job,
    kind_by_words,
    lowered,
    only_tells,
    says_not_yet,
    status_within,
)
from airflow_provider_batchdl.vendors.requests import ApiRequest
from airflow_provider_batchdl.vendors.retry_after import asked_wait, retry_after
from airflow_provider_batchdl.vendors.states import fold, log_unknown

if TYPE_CHECKING:
    import httpx

log = get_logger(__name__)

T = TypeVar("T")

_MOST_KINDS = 100
_MOST_REFUSED = 1_000
_skipped_logged: set[tuple[str, str]] = set()


class Answers(ABC):
    """Reader of a vendor's answers."""

    name: ClassVar[str]
    label: ClassVar[str]
    id_member: ClassVar[str] = "id"
    """The member of a job that holds its id; where it is missing, the job may be inside a ``data`` or ``result``."""
    _states: dict[str, JobState]

    # Errors.

    def error(self, request: ApiRequest, response: httpx.Response) -> BatchDlError:
        """The typed error for a response of status 400 or above, whose body has been read.

        What :meth:`is_own_error` does not know came from a router, firewall or proxy: for a refusal (4xx) that is
        ``VendorUnavailableError``, and a 503 leaves it open whether the vendor acted on the request.
        """
        own = self.is_own_error(response)
        return error_from_response(
            response,
            vendor=self.name,
            operation=request.operation,
            job_id=request.job_id,
            kind=self.own_kind(request, response) if own else None,
            own=own,
            wait=self.retry_after,
        )

    def refusal(self, request: ApiRequest, response: httpx.Response) -> BatchDlError | None:
        """The typed error that an answer means, whatever its status; None where it is none. Asked for every answer.

        A vendor overrides it where a 200 may hold an error (GraphQL's ``errors``, ``{"success": false}``), and asks
        this one first. The error reaches the flow, and is retried, as if it had come with a status of its own. An
        error of a submit means that it was not accepted, unless it is ``UnexpectedResponseError``, or
        ``VendorUnavailableError`` with ``maybe_processed``.
        """
        return self.error(request, response) if response.status_code >= HTTPStatus.BAD_REQUEST else None

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Seconds that the headers of an answer ask to wait, None where they ask nothing.

        By default those that are common: ``Retry-After`` and ``X-RateLimit-Reset``. A vendor with others overrides it;
        :func:`airflow_provider_batchdl.vendors.retry_after.duration` reads ``1m30s``.
        """
        return retry_after(headers)

    def is_own_error(self, response: httpx.Response) -> bool:
        """True if the body of an error has a shape of the vendor's own errors; by default, any JSON.

        A vendor overrides it with the shapes that it documents: what answers in its place speaks JSON at times.
        """
        return bool(json_of(response))

    def own_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """The type of an error in the vendor's own shape: by the words that all use, else by :meth:`error_kind`."""
        return kind_by_words(response) or self.error_kind(request, response)

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """The type of an error in the vendor's own shape, where that is more specific than the status; else None."""
        return None

    def error_within(self, request: ApiRequest, response: httpx.Response) -> BatchDlError | None:
        """The error that the body of a *successful* answer is, None where it is none.

        Such a body is read as if it had the status that it names, or 400. Where that means no more than "refused", the
        submit was, and anything else is an answer that makes no sense, for a retry to sort out. Only for a body that
        is nothing else: a job's may have an ``error``, too.
        """
        body = json_of(response)
        kind = self.kind_within(request.operation, request.job_id, body)
        if kind is None:
            return None
        facts: dict[str, Any] = {}
        if kind is RateLimitedError:
            facts["retry_after"] = asked_wait(self.retry_after, response.headers)
        if kind is VendorUnavailableError:
            facts["maybe_processed"] = status_within(body) != HTTPStatus.SERVICE_UNAVAILABLE
        said = f"{self.label} answered the {request.operation} request with an error inside a success."
        return self._odd(response, kind, said, **facts)

    def kind_within(self, operation: str, job_id: str | None, body: object) -> type[BatchDlError] | None:
        """The type of error in the body of a *successful* answer, None where there is none; see `error_within`."""
        status = status_within(body)
        if status is None:
            return None
        import httpx

        refusal = httpx.Response(status, content=json.dumps(body, default=str).encode())
        request = ApiRequest(operation, "GET", "/", job_id=job_id)
        kind = kind_by_words(refusal) or self.error_kind(request, refusal) or kind_of(status, operation)
        return UnexpectedResponseError if kind is InvalidRequestError and operation != "submit" else kind

    def malformed(self, operation: str, response: httpx.Response, reason: object) -> BatchDlError:
        """The error for a successful response that cannot be read, or is an error by its body."""
        error = self.error_within(ApiRequest(operation, "GET"), response)
        said = f"{self.label}'s answer to the {operation} request cannot be read: {reason}."
        return error or self._odd(response, UnexpectedResponseError, said)

    def _odd(self, response: httpx.Response, kind: type[BatchDlError], said: str, **facts: Any) -> BatchDlError:
        body = json_of(response)
        words, code = words_in(body) if isinstance(body, dict) else (None, None)
        return kind(
            said, vendor=self.name, status=response.status_code, vendor_message=words, vendor_code=code, **facts
        )

    def wrong_id(self, job_id: str, kind: str) -> InvalidRequestError:
        """The error for an id that none of the vendor's jobs has; ``kind`` is what they are: "a UUID"."""
        return InvalidRequestError(
            f"A job id of {self.label} is {kind}, not {job_id!r}.",
            vendor=self.name,
            remedy="Check the job_id, and that the connection is of the vendor whose job it is.",
        )

    def unsupported(self, what: str, job_id: str | None = None) -> UnsupportedOperationError:
        """The error for something this API cannot do."""
        return UnsupportedOperationError(f"{self.label}'s API cannot {what}.", vendor=self.name, job_id=job_id)

    # Successes.

    def read_json(self, operation: str, response: httpx.Response) -> Any:
        """The body of a successful response, which must be JSON; without a wrapper (``{"data": {...}}``) around it.

        Raises:
            BatchDlError: it is no JSON.
        """
        try:
            return unwrapped(parsed(response.content), self.id_member)
        except ValueError as error:
            raise self.malformed(operation, response, "the body is not JSON") from error

    def state_of(self, word: str) -> JobState:
        """The state behind the vendor's word. An unknown one counts as running, and is logged once an hour."""
        state = self.known_state(word)
        if state is None:
            log_unknown(self.name, self.label, word)
        return state or JobState.RUNNING

    def known_state(self, word: object) -> JobState | None:
        """The state behind a word, None where it is none that the vendor or the connection names."""
        return self._states.get(fold(word)) if isinstance(word, str) else None

    def read_state(self, operation: str, value: object) -> tuple[JobState, str]:
        """The state that a job's answer shows, and the vendor's word for it.

        An answer to a submit may lack it: the id is what counts there, so the job is pending, without a word.

        Raises:
            TypeError: it is no text, or blank.
        """
        try:
            word = as_word(value)
        except TypeError:
            if operation != "submit":
                raise
            return JobState.PENDING, ""
        return self.state_of(word), as_text(word) or ""

    def read_items(self, items: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
        """The items of a list, each read by ``read``; one that it refuses is skipped, which is logged once a kind.

        Raises:
            UnexpectedResponseError: it refuses more than a thousand, so this is no list of jobs.
        """
        found: list[T] = []
        refused = 0
        for item in items:
            try:
                found.append(read(item))
            except UNREADABLE as error:
                refused += 1
                if refused > _MOST_REFUSED:
                    raise
                kind = error.message if isinstance(error, UnexpectedResponseError) else type(error).__name__
                if (self.name, kind) not in _skipped_logged and len(_skipped_logged) < _MOST_KINDS:
                    _skipped_logged.add((self.name, kind))
                    log.warning("Skipping an unreadable item in the list of %s jobs: %s", self.label, error)
        return found

    # Results.

    def check_result(self, job_id: str, members: Mapping[str, object]) -> None:
        """Refuse a result that is none by its own words: an error, or the job's state.

        Args:
            job_id: the job whose result it is.
            members: the top-level members, where the result is one JSON object; of a large one, lists in them have only
                their first item.

        Raises:
            ResultNotReadyError: the result is not complete by its own words.
            BatchDlError: it is an error object; typed as the same body would be as a refusal.
        """
        found = unwrapped(dict(members), self.id_member)
        word = found.get("current_status") or found.get("status") or found.get("state")
        state = self.known_state(word)
        # Another word may be data, where there is an id beside it.
        early = state is None and "id" not in found and isinstance(word, str) and says_not_yet(word)
        if (early or state not in (None, JobState.SUCCEEDED)) and is_bare_job(found):
            raise self.not_ready(job_id, str(word))
        if not is_bare_error(found):
            found = enclosed_error(found)
        if not found:
            return
        kind = self.kind_within("download", job_id, found) or (UnexpectedResponseError if only_tells(found) else None)
        if kind is None:
            return
        words, code = words_in(lowered(found))
        early = kind is UnexpectedResponseError and says_not_yet(words, code)
        raise (ResultNotReadyError if early else kind)(
            f"{self.label} answered the download with an error instead of results.",
            vendor=self.name,
            job_id=job_id,
            vendor_message=words,
            vendor_code=code,
        )

    def not_ready(self, job_id: str, word: str) -> ResultNotReadyError:
        """The error for a result that holds the job's state instead of data."""
        return ResultNotReadyError(
            f"{self.label} answered the download with status {excerpt(word, 40)!r} instead of results.",
            vendor=self.name,
            job_id=job_id,
        )
