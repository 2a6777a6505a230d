"""Every error this package raises, one tree.

::

    BatchDlError
    ├── AuthenticationError           the vendor does not know the key, secret or token
    ├── PermissionDeniedError         it knows it, and it may not do this
    ├── JobNotFoundError              no such job for this account
    ├── JobFailedError                the vendor's job ended in failure
    ├── JobCancelledError             the vendor's job was cancelled
    ├── ResultNotReadyError           asked for results before they exist          (retryable)
    ├── InsufficientCreditsError      the account cannot pay for the request
    ├── QuotaExceededError            an allowance is used up; waiting minutes will not help
    ├── RateLimitedError              too many requests; see ``retry_after``        (retryable)
    ├── InvalidRequestError           the vendor (or we, on its behalf) refused the request
    ├── UnsupportedOperationError     this vendor's API cannot do that
    ├── SubmitUncertainError          sent, answer lost, job not found again
    ├── InputChangedError             a retry would submit something else than the job that it has
    ├── StateStoreError               what must outlive a try cannot be stored, or read  (retryable)
    ├── VendorUnavailableError        5xx, connection, time-out, a router's page    (retryable)
    ├── UnexpectedResponseError       an answer that makes no sense                 (retryable)
    ├── TransferError                 a download went wrong                         (retryable)
    │   ├── TruncatedDownloadError    the bytes ended early                         (retryable)
    │   ├── ChecksumMismatchError     the bytes are not those declared              (retryable)
    │   ├── ResultChangedError        the file changed while it was read            (retryable)
    │   ├── ResultExpiredError        the store refused the link, and a new one     (retryable)
    │   ├── UnsafeRedirectError       the link leads where it must not
    │   ├── EmptyResultError          the job succeeded and has no result file
    │   └── ResultTooLargeError       larger than the caller allows
    └── DestinationError              the place to write to refused                 (retryable)

``retryable`` says whether doing the same again later can help. Airflow's operators here fail a task at once,
without using up its retries, where it cannot.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.storable import bounded_text, storable, storable_number, storable_text, words_of


class BatchDlError(Exception):
    """Base of all errors here.

    Args:
        message: what happened, in one sentence; like the vendor's words, it passes the redactor, is made storable and
            not longer than 2,000 characters.
        vendor: the vendor's name, as in the connection type.
        job_id: the vendor's id of the job concerned.
        status: the HTTP status that said so.
        vendor_message: the vendor's own words.
        vendor_code: the vendor's own code for it, where it has one.
        remedy: what the user can do; a class has a default.
        retry_after: seconds the vendor asked to wait before the next request.
    """

    retryable: bool = False
    default_remedy: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        vendor: str | None = None,
        job_id: str | None = None,
        status: int | None = None,
        vendor_message: str | None = None,
        vendor_code: str | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = bounded_text(redact(words_of(message)))
        super().__init__(self.message)
        self.vendor = vendor
        self.job_id = None if job_id is None else storable_text(redact(words_of(job_id)))
        self.status = status
        self.vendor_message = _said(vendor_message)
        self.vendor_code = _said(vendor_code)
        self.remedy = redact(remedy) if remedy else self.default_remedy
        self.retry_after = storable_number(retry_after)

    def __str__(self) -> str:
        facts = [f"vendor {self.vendor}"] if self.vendor else []
        facts += [f"job {self.job_id}"] if self.job_id else []
        facts += [f"HTTP {self.status}"] if self.status else []
        facts += [f"code {self.vendor_code}"] if self.vendor_code and self.vendor_code != self.vendor_message else []
        text = self.message + (f" [{', '.join(facts)}]" if facts else "")
        if self.vendor_message and self.vendor_message not in self.message:
            text += f" The vendor says: {self.vendor_message!r}."
        return f"{text} {self.remedy}" if self.remedy else text

    def concerns(self, *, vendor: str | None = None, job_id: str | None = None) -> None:
        """Fill in what is not known of it yet: whose answer it is about, and which job's."""
        self.vendor = self.vendor or vendor
        self.job_id = self.job_id or job_id

    def to_dict(self) -> dict[str, Any]:
        """The error as small JSON that can be stored, for a trigger's event."""
        return storable({"type": type(self).__name__, **self.__dict__})  # type: ignore[no-any-return]

    @staticmethod
    def from_dict(data: dict[str, Any]) -> BatchDlError:
        """The error that :meth:`to_dict` described; an unknown type becomes a plain :class:`BatchDlError`."""
        fields = dict(data)
        kind = _by_name(BatchDlError).get(fields.pop("type", ""), BatchDlError)
        error = kind(str(fields.pop("message", None) or "An error without a message."))
        error.__dict__.update({name: value for name, value in fields.items() if name in error.__dict__})
        return error


class AuthenticationError(BatchDlError):
    default_remedy = "Check the key or secret in the Airflow connection, and that it belongs to this host."


class PermissionDeniedError(BatchDlError):
    default_remedy = "Ask the vendor to allow this for the key, or use another account's connection."


class JobNotFoundError(BatchDlError):
    default_remedy = "Check the job id and that the connection is the account that submitted it."


class JobFailedError(BatchDlError):
    default_remedy = "Look at the vendor's message; mend the input if it is at fault, then submit a new job."


class JobCancelledError(BatchDlError):
    default_remedy = "Submit a new job; accept_partial=True takes what a cancelled job left, where the vendor keeps it."


class ResultNotReadyError(BatchDlError):
    retryable = True
    default_remedy = "Wait for the job with BatchJobSensor before downloading."


class InsufficientCreditsError(BatchDlError):
    default_remedy = "Buy credits at the vendor, then clear the task."


class QuotaExceededError(BatchDlError):
    default_remedy = "Ask the vendor for a larger quota, or wait until it is renewed, then clear the task."


class RateLimitedError(BatchDlError):
    retryable = True
    default_remedy = "Fewer tasks at once on this account (an Airflow pool), or a longer poll_interval."


class InvalidRequestError(BatchDlError):
    default_remedy = "Correct the task's request or file."


class UnsupportedOperationError(BatchDlError):
    default_remedy = "Use an operation that this vendor's API has."


class SubmitUncertainError(BatchDlError):
    default_remedy = (
        "If the vendor's dashboard shows that job, give its id to BatchJobSensor and DownloadBatchResultsOperator; if "
        "not, clear the task. It is not submitted again by itself, since that could be billed twice: the operators do "
        'it with on_uncertain_submit="resubmit".'
    )


class InputChangedError(BatchDlError):
    default_remedy = (
        'Clear the task to submit what it has now; on_changed_input="resubmit" lets a retry do so. Or undo the change: '
        "a retry then continues with the job that was submitted."
    )


class StateStoreError(BatchDlError):
    retryable = True
    default_remedy = "Nothing was sent. Check Airflow's API server, or the destination where the record lies beside it."


class VendorUnavailableError(BatchDlError):
    """The vendor could not be reached, answered 5xx, or something else refused in its place.

    ``maybe_processed`` is False where the vendor cannot have acted on the request (the connection was refused, a 503
    of its own turned it away, a firewall refused it), True where it may have.
    """

    retryable = True
    default_remedy = "Retry the task later; if it stays, look at the vendor's status page and at the worker's network."
    maybe_processed: bool

    def __init__(self, message: str, *, maybe_processed: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.maybe_processed = maybe_processed


class UnexpectedResponseError(BatchDlError):
    retryable = True
    default_remedy = (
        "Check that nothing else answers in the vendor's place: the connection's host, a proxy, a login page. Then "
        "retry the task; if it stays, show the vendor this message."
    )


class TransferError(BatchDlError):
    retryable = True
    default_remedy = "Retry the task; if it ends in the same way again, show the vendor this message."


class TruncatedDownloadError(TransferError):
    pass


class ChecksumMismatchError(TransferError):
    pass


class ResultChangedError(TransferError):
    pass


class ResultExpiredError(TransferError):
    default_remedy = "The vendor may have deleted the result; see how long it keeps results, and submit again if so."


class UnsafeRedirectError(TransferError):
    retryable = False
    default_remedy = "Nothing was sent there. Check the connection's host; if it is right, tell the vendor."


class EmptyResultError(TransferError):
    retryable = False
    default_remedy = (
        'Check what was asked for. Where a job may have no result, on_empty="skip" skips the task, and on_empty="land" '
        "replaces what is at the destination with nothing."
    )


class ResultTooLargeError(TransferError):
    retryable = False
    default_remedy = "Set a destination, so that the result streams to storage instead of XCom."


class DestinationError(BatchDlError):
    """The destination refused.

    ``retryable`` is False for what stays as it is until somebody acts: a missing bucket, a refused key, a read-only
    folder.
    """

    retryable = True
    default_remedy = "Check that the destination exists and that its connection may write there."

    def __init__(self, message: str, *, retryable: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retryable = retryable


def _said(words: object) -> str | None:
    return None if words is None else bounded_text(redact(words_of(words))) or None


def _by_name(root: type[BatchDlError]) -> dict[str, type[BatchDlError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _by_name(child)
    return found
