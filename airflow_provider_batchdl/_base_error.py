"""Base of every error here: its facts, its text, and its JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from airflow_provider_batchdl._redaction.redactor import beginning, redact
from airflow_provider_batchdl._values.storable import bounded_text, storable, storable_number, storable_text, words_of


class BatchDlError(Exception):
    """Base of all errors here.

    Args:
        message: what happened, in one sentence; like the vendor's words, it passes the redactor, is made storable and
            not longer than 2,000 characters.
        vendor: the vendor's name, as in the connection type.
        conn_id: the id of the Airflow connection that was used.
        job_id: the vendor's id of the job concerned.
        status: the HTTP status that said so.
        vendor_message: the vendor's own words.
        vendor_code: the vendor's own code for it, where it has one.
        remedy: what the user can do; a class has a default.
        retry_after: seconds the vendor asked to wait before the next request.

    Attributes:
        cause: the exception that led to this one, None where there is none. Hooks, operators and sensors put it here
            instead of in ``__cause__``, so that a log shows one traceback.
    """

    __slots__ = ("cause",)  # not in __dict__, which is what is stored, pickled and copied of an error

    retryable: bool = False
    default_remedy: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        vendor: str | None = None,
        conn_id: str | None = None,
        job_id: str | None = None,
        status: int | None = None,
        vendor_message: str | None = None,
        vendor_code: str | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message
        super().__init__(self.message)
        self.cause: BaseException | None = None
        self.vendor = vendor
        self.conn_id = conn_id
        self.job_id = job_id
        self.status = status
        self.vendor_message = vendor_message
        self.vendor_code = vendor_code
        self.remedy = remedy or self.default_remedy
        self.retry_after = retry_after

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a fact, without secrets and fit to be stored, whether the error is made with it or gets it later."""
        clean = None if value is None or value is self.default_remedy else _CLEAN.get(name)
        super().__setattr__(name, value if clean is None else clean(value))

    def __str__(self) -> str:
        return f"{self.description} {self.remedy}" if self.remedy else self.description

    @property
    def description(self) -> str:
        """The message with vendor, connection, job, status and the vendor's own message: all but the remedy."""
        facts = [f"vendor {self.vendor}"] if self.vendor else []
        facts += [f"connection {self.conn_id}"] if self.conn_id and repr(self.conn_id) not in self.message else []
        facts += [f"job {self.job_id}"] if self.job_id else []
        facts += [f"HTTP {self.status}"] if self.status else []
        facts += [f"code {self.vendor_code}"] if self.vendor_code and self.vendor_code != self.vendor_message else []
        text = self.message + (f" [{', '.join(facts)}]" if facts else "")
        if self.vendor_message and self.vendor_message not in self.message:
            text += f" The vendor says: {self.vendor_message!r}."
        # Names and the words of others may have line breaks, and half characters.
        return storable_text(" ".join(text.splitlines()))

    def concerns(self, *, vendor: str | None = None, job_id: str | None = None, conn_id: str | None = None) -> None:
        """Fill in the vendor, job and connection that it concerns, where they are not known yet."""
        self.vendor = self.vendor or vendor
        self.conn_id = self.conn_id or conn_id
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


def _said(words: object) -> str:
    return bounded_text(beginning(words_of(words)))


_CLEAN: Mapping[str, Callable[[Any], Any]] = {
    "message": _said,
    "job_id": lambda job_id: storable_text(redact(words_of(job_id))),
    "vendor_message": lambda words: _said(words) or None,
    "vendor_code": lambda words: _said(words) or None,
    "remedy": lambda remedy: " ".join(storable_text(redact(words_of(remedy))).splitlines()),
    "retry_after": storable_number,
}


def _by_name(root: type[BatchDlError]) -> dict[str, type[BatchDlError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _by_name(child)
    return found
