"""Every error this package raises, one tree.

::

    BatchDlError
    ├── AuthenticationError           the vendor rejected the credentials
    ├── PermissionDeniedError         the credentials are valid, and not allowed to do this
    ├── JobNotFoundError              no such job for this account
    ├── JobFailedError                the vendor's job ended in failure
    ├── JobCancelledError             the vendor's job was cancelled
    ├── ResultNotReadyError           asked for results before they exist          (retryable)
    ├── InsufficientCreditsError      the account cannot pay for the request
    ├── QuotaExceededError            an allowance is used up; waiting minutes will not help
    ├── RateLimitedError              too many requests; see ``retry_after``        (retryable)
    ├── InvalidRequestError           the vendor (or we, on its behalf) refused the request
    │   ├── InvalidArgumentError      an argument cannot have this value; a ``ValueError``, too
    │   └── InvalidConnectionError    a field of the Airflow connection is wrong, or it cannot be read
    ├── UnsupportedOperationError     this vendor's API cannot do that
    ├── SubmitUncertainError          sent, answer lost, job not found again
    ├── InputChangedError             a retry would submit something else than the job that it has
    ├── WorkerEnvironmentError        an environment variable (a proxy, a CA bundle) is unusable
    ├── StateStoreError               what must outlive a try cannot be stored, or read  (retryable)
    ├── VendorUnavailableError        5xx, connection, time-out, a router's page    (retryable)
    ├── UnexpectedResponseError       an answer that makes no sense                 (retryable)
    ├── TransferError                 a download went wrong                         (retryable)
    │   ├── TruncatedDownloadError    the bytes ended early                         (retryable)
    │   ├── ChecksumMismatchError     the bytes are not those declared              (retryable)
    │   ├── ResultExpiredError        the store refused the link, and a new one     (retryable)
    │   ├── UnsafeRedirectError       the link leads where it must not
    │   ├── EmptyResultError          the job succeeded and has no result file
    │   ├── UnstorableResultError     no values that Airflow can store, and there is no destination
    │   └── ResultTooLargeError       larger than the caller allows
    └── DestinationError              the place to write to refused                 (retryable)

``retryable`` says whether doing the same again later can help. Airflow's operators here fail a task at once,
without using up its retries, where it cannot.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl._base_error import BatchDlError

__all__ = [
    "AuthenticationError",
    "BatchDlError",
    "ChecksumMismatchError",
    "DestinationError",
    "EmptyResultError",
    "InputChangedError",
    "InsufficientCreditsError",
    "InvalidArgumentError",
    "InvalidConnectionError",
    "InvalidRequestError",
    "JobCancelledError",
    "JobFailedError",
    "JobNotFoundError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitedError",
    "ResultExpiredError",
    "ResultNotReadyError",
    "ResultTooLargeError",
    "StateStoreError",
    "SubmitUncertainError",
    "TransferError",
    "TruncatedDownloadError",
    "UnexpectedResponseError",
    "UnsafeRedirectError",
    "UnstorableResultError",
    "UnsupportedOperationError",
    "VendorUnavailableError",
    "WorkerEnvironmentError",
]


class AuthenticationError(BatchDlError):
    """The vendor rejected the credentials (HTTP 401)."""

    default_remedy = "Check the credentials in the Airflow connection, and that they belong to this host."


class PermissionDeniedError(BatchDlError):
    """The credentials are valid, but not allowed to do this (HTTP 403)."""

    default_remedy = "Ask the vendor to allow this for these credentials, or use another account's connection."


class JobNotFoundError(BatchDlError):
    """The account has no such job."""

    default_remedy = "Check the job id and that the connection is the account that submitted it."


class JobFailedError(BatchDlError):
    """The vendor's job failed."""

    default_remedy = "Check the vendor's message; fix the input if needed, then submit a new job."


class JobCancelledError(BatchDlError):
    """The vendor's job was cancelled."""

    default_remedy = "Submit a new job; accept_partial=True takes what a cancelled job left, where the vendor keeps it."


class ResultNotReadyError(BatchDlError):
    """Results were requested before they exist. Retryable."""

    retryable = True
    default_remedy = "Wait for the job with BatchJobSensor before downloading."


class InsufficientCreditsError(BatchDlError):
    """The account's credits do not cover the request."""

    default_remedy = "Buy credits at the vendor, then clear the task."


class QuotaExceededError(BatchDlError):
    """A quota of the account is used up; unlike a rate limit, waiting minutes does not help."""

    default_remedy = "Ask the vendor for a larger quota, or wait until it is renewed, then clear the task."


class RateLimitedError(BatchDlError):
    """Too many requests (HTTP 429); ``retry_after`` has the seconds to wait. Retryable."""

    retryable = True
    default_remedy = "Fewer tasks at once on this account (an Airflow pool), or a longer poll_interval."


class InvalidRequestError(BatchDlError):
    """The request or the file is invalid, by the vendor's response or our checks before it."""

    default_remedy = "Correct the task's request or file."


class InvalidArgumentError(InvalidRequestError, ValueError):
    """An argument of an operator, hook or function cannot have this value; also a ``ValueError``."""

    default_remedy = "Correct the argument."


class InvalidConnectionError(InvalidRequestError):
    """A field of the Airflow connection holds what cannot be right, or the connection cannot be read.

    ``retryable`` is True only where Airflow does not find the connection: its secrets backend may be down.
    """

    default_remedy = "Correct the Airflow connection."

    def __init__(self, message: str, *, retryable: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retryable = retryable

    @classmethod
    def of_field(cls, field: str, problem: str, *, conn_id: str | None, **facts: Any) -> InvalidConnectionError:
        """The error "The <field> of Airflow connection <conn_id> <problem>."; no secret may be in it."""
        whose = "the connection" if conn_id is None else f"Airflow connection {conn_id!r}"
        end = "" if problem.endswith("?") else "."
        return cls(f"The {field} of {whose} {problem}{end}", conn_id=conn_id, **facts)


class UnsupportedOperationError(BatchDlError):
    """The vendor's API has no such operation."""

    default_remedy = "Use an operation that this vendor's API has."


class SubmitUncertainError(BatchDlError):
    """A submit was sent, its response was lost, and the job cannot be found."""

    default_remedy = (
        "If the vendor's dashboard shows that job, give its id to BatchJobSensor and DownloadBatchResultsOperator; if "
        "not, clear the task. It is not submitted again by itself, since that could be billed twice: the operators do "
        'it with on_uncertain_submit="resubmit".'
    )


class InputChangedError(BatchDlError):
    """A retry has another request, file or account than the submitted job."""

    default_remedy = (
        'Clear the task to submit what it has now; on_changed_input="resubmit" lets a retry do so. Or undo the change: '
        "a retry then continues with the job that was submitted."
    )


class WorkerEnvironmentError(BatchDlError):
    """An environment variable (a proxy, a CA bundle) is unusable."""

    default_remedy = "Correct the environment variable on this machine, or unset it."


class StateStoreError(BatchDlError):
    """The record of a task's job cannot be stored or read. Retryable."""

    retryable = True
    default_remedy = "Nothing was sent. Check Airflow's API server, or the destination where the record lies beside it."


class VendorUnavailableError(BatchDlError):
    """The vendor could not be reached, answered 5xx, or something else refused in its place.

    ``maybe_processed`` is False where the vendor cannot have acted on the request (the connection was refused, a 503
    of its own turned it away, a firewall refused it), True where it may have.
    """

    retryable = True
    default_remedy = "Retry the task later; if it persists, check the vendor's status page and the worker's network."
    maybe_processed: bool

    def __init__(self, message: str, *, maybe_processed: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.maybe_processed = maybe_processed


class UnexpectedResponseError(BatchDlError):
    """The response makes no sense: not JSON, about another job, or from something else. Retryable."""

    retryable = True
    default_remedy = (
        "Check that nothing else answers in the vendor's place: the connection's host, a proxy, a login page. Then "
        "retry the task; if it persists, show the vendor this message."
    )


class TransferError(BatchDlError):
    """A download failed. Retryable, unless a subclass says otherwise."""

    retryable = True
    default_remedy = "Retry the task; if it fails in the same way again, show the vendor this message."


class TruncatedDownloadError(TransferError):
    """The download ended before all bytes had arrived. Retryable."""


class ChecksumMismatchError(TransferError):
    """The bytes do not match the declared checksum. Retryable."""


class ResultExpiredError(TransferError):
    """The store refused the link to the file, and a new link, too. Retryable."""

    default_remedy = "The vendor may have deleted the result; check how long it stores results, and submit again if so."


class UnsafeRedirectError(TransferError):
    """A redirect leads to a forbidden address; it was not followed."""

    retryable = False
    default_remedy = "Nothing was sent there. Check the connection's host; if it is right, report it to the vendor."


class EmptyResultError(TransferError):
    """The job succeeded and has no result file, and ``on_empty`` is ``"fail"``."""

    retryable = False
    default_remedy = (
        'Check what was asked for. Where a job may have no result, on_empty="skip" skips the task, and on_empty="land" '
        "replaces what is at the destination with nothing."
    )


class UnstorableResultError(TransferError):
    """The parsed result has values that Airflow cannot store in XCom."""

    retryable = False
    default_remedy = "Set a destination, so that the file goes to storage as it is instead of XCom."


class ResultTooLargeError(TransferError):
    """The result is larger than the caller's ``max_bytes``; it was not downloaded whole."""

    retryable = False
    default_remedy = "Set a destination, so that the result streams to storage instead of XCom."


class DestinationError(BatchDlError):
    """The destination cannot be read, written or replaced.

    ``retryable`` is False for what stays until somebody acts: a missing bucket, rejected credentials, a read-only
    folder.
    """

    retryable = True
    default_remedy = "Check that the destination exists and that its connection may write there."

    def __init__(self, message: str, *, retryable: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retryable = retryable

    def concerns(self, *, vendor: str | None = None, job_id: str | None = None, conn_id: str | None = None) -> None:
        """Fill in vendor and job; not the vendor's connection, which would be taken for the destination's."""
        del conn_id
        super().concerns(vendor=vendor, job_id=job_id)
