"""What a vendor's answers mean: errors, and successes that are none. One mechanism; each vendor fills in the words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    ResultNotReadyError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.redaction import LONGEST_TEXT, excerpt, get_logger, redact
from airflow_provider_batchdl.vendors.errors import error_from_response, json_of, kind_of, words_of
from airflow_provider_batchdl.vendors.reading import as_word, parsed, unwrapped
from airflow_provider_batchdl.vendors.refusals import (
    folded,
    is_bare_error,
    is_bare_job,
    kind_by_words,
    lowered,
    only_tells,
    status_within,
)
from airflow_provider_batchdl.vendors.requests import ApiRequest
from airflow_provider_batchdl.vendors.retry_after import retry_after

if TYPE_CHECKING:
    import httpx

log = get_logger(__name__)

T = TypeVar("T")

# What a result may say of itself that is not there yet, where no vendor's own words are known.
_NOT_YET = ("not ready", "not complete", "not finished", "in progress", "processing", "pending", "queued")
_MOST_KINDS = 100
_MOST_REFUSED = 1_000
_skipped_logged: set[tuple[str, str]] = set()


class Answers:
    """How a vendor's answers are read."""

    name: ClassVar[str]
    label: ClassVar[str]
    id_member: ClassVar[str] = "id"
    """The member of a job that holds its id; where it is missing, the job may be inside a ``data`` or ``result``."""

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
            kind=kind_by_words(response) or self.error_kind(request, response) if own else None,
            own=own,
        )

    def is_own_error(self, response: httpx.Response) -> bool:
        """Whether the body of an error has a shape in which the vendor itself says errors; by default, any JSON.

        A vendor overrides it with the shapes that it documents: what answers in its place speaks JSON at times.
        """
        return bool(json_of(response))

    def error_kind(self, request: ApiRequest, response: httpx.Response) -> type[BatchDlError] | None:
        """The type of an error in the vendor's own shape, where its words tell more than the status; else None."""
        return None

    def kind_within(self, operation: str, job_id: str | None, body: object) -> type[BatchDlError] | None:
        """The type of error that the body of a *successful* answer tells of, None where it tells of none.

        Proofy's older API answers errors as 200 ``{"error": true, "message": ...}``. Such a body is read as if it had
        come with the status that it names, or 400. Where that tells no more than "refused", the submit was, and
        anything else is an answer that makes no sense, for a retry to sort out.
        """
        status = status_within(body)
        if status is None:
            return None
        import httpx

        refusal = httpx.Response(status, content=json.dumps(body, default=str).encode())
        request = ApiRequest(operation, "GET", "/", job_id=job_id)
        kind = kind_by_words(refusal) or self.error_kind(request, refusal) or kind_of(status, operation)
        return UnexpectedResponseError if kind is InvalidRequestError and operation != "submit" else kind

    def malformed(self, operation: str, response: httpx.Response, reason: object) -> BatchDlError:
        """The error for a successful response that lacks what it must have, or says of itself that it is an error."""
        body = json_of(response)
        words, code = words_of(body) if isinstance(body, dict) else (None, None)
        kind = self.kind_within(operation, None, body)
        said = "something unexpected" if kind is None else "an error"
        facts: dict[str, Any] = {"vendor": self.name, "status": response.status_code}
        if kind is RateLimitedError:
            facts["retry_after"] = retry_after(response.headers)
        return (kind or UnexpectedResponseError)(
            f"{self.label} answered the {operation} request with {said}: {reason}.",
            vendor_message=words,
            vendor_code=code,
            **facts,
        )

    # Successes.

    def read_json(self, operation: str, response: httpx.Response) -> Any:
        """The body of a successful response, which must be JSON; without a wrapper (``{"data": {...}}``) around it.

        Raises:
            BatchDlError: it is no JSON.
        """
        try:
            return unwrapped(parsed(response.content), self.id_member)
        except (ValueError, RecursionError) as error:
            raise self.malformed(operation, response, "the body is not JSON") from error

    def state_of(self, word: str) -> JobState:
        """The state behind the vendor's word."""
        raise NotImplementedError

    def known_state(self, word: object) -> JobState | None:
        """The state behind a word, None where it is none that is known."""
        raise NotImplementedError

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
        return self.state_of(word), redact(word[:LONGEST_TEXT])

    def read_items(self, items: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
        """What ``read`` makes of the items of a list; one that it refuses is skipped, which is logged once a kind.

        Raises:
            UnexpectedResponseError: it refuses more than a thousand, so this is no list of jobs.
        """
        found: list[T] = []
        refused = 0
        for item in items:
            try:
                found.append(read(item))
            except UnexpectedResponseError as error:
                refused += 1
                if refused > _MOST_REFUSED:
                    raise
                if (self.name, error.message) not in _skipped_logged and len(_skipped_logged) < _MOST_KINDS:
                    _skipped_logged.add((self.name, error.message))
                    log.warning("Skipping an item of the list of %s jobs that cannot be read: %s", self.label, error)
        return found

    # Results.

    def check_result(self, job_id: str, members: Mapping[str, object]) -> None:
        """Refuse a result that says of itself that it is none: an error, or where the job stands.

        Args:
            job_id: the job whose result it is.
            members: the top-level members, where the result is one JSON object.

        Raises:
            ResultNotReadyError: the result says it is not complete.
            BatchDlError: it is an error object; typed as the same body would be as a refusal.
        """
        found = unwrapped(dict(members), self.id_member)
        state = self.known_state(found.get("current_status") or found.get("status"))
        if state not in (None, JobState.SUCCEEDED) and is_bare_job(found):
            raise self.not_ready(job_id, str(found.get("current_status") or found.get("status")))
        if not is_bare_error(found):
            return
        kind = self.kind_within("download", job_id, found) or (UnexpectedResponseError if only_tells(found) else None)
        if kind is None:
            return
        words, code = words_of(lowered(found))
        early = kind is UnexpectedResponseError and any(each in folded(words, code) for each in _NOT_YET)
        raise (ResultNotReadyError if early else kind)(
            f"{self.label} answered the download with an error instead of results.",
            vendor=self.name,
            job_id=job_id,
            vendor_message=words,
            vendor_code=code,
        )

    def not_ready(self, job_id: str, word: str) -> ResultNotReadyError:
        """The error for a result that tells where the job stands, instead of being one."""
        return ResultNotReadyError(
            f"{self.label} answered the download with status {excerpt(word, 40)!r} instead of results.",
            vendor=self.name,
            job_id=job_id,
        )
