"""The questions that every vendor answers.

An operation is a *flow*: a generator that yields the requests to send and is sent their responses, as in
``httpx.Auth.auth_flow``. It does no input or output itself, so the sync and the async client drive the same code::

    def get_job(self, job_id):
        response = yield ApiRequest("status", "GET", f"/jobs/{job_id}", job_id=job_id)
        return self.read_job(response.json())

A response of status 400 or above never reaches the flow as a value: the client asks :meth:`Vendor.error` what it
means and throws that into the flow, which may catch it.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    JobCancelledError,
    JobFailedError,
    SubmitUncertainError,
    UnexpectedResponseError,
    UnsupportedOperationError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.redaction import excerpt, get_logger
from airflow_provider_batchdl.vendors.answers import Answers
from airflow_provider_batchdl.vendors.flows import answer, guarded
from airflow_provider_batchdl.vendors.listing import JobPage, Listing
from airflow_provider_batchdl.vendors.requests import ApiRequest, RateLimit, Submission, Upload
from airflow_provider_batchdl.vendors.states import fold, named_states

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account

__all__ = ["ADOPTION_DELAYS", "ApiRequest", "Flow", "RateLimit", "Submission", "Upload", "Vendor", "answer"]

log = get_logger(__name__)

T = TypeVar("T")
Flow: TypeAlias = "Generator[ApiRequest, httpx.Response, T]"

# A submitted job may take a moment to show in the vendor's list: seconds to wait before each look.
ADOPTION_DELAYS = (0.0, 2.0, 5.0)

# By these a server says that it did not act on a POST; a 302 or 303 may come after it did.
_NOT_TAKEN = frozenset({301, 307, 308, *range(400, 500)})

# Which unknown states were logged, and in which hour.
_unknown_states_logged: set[tuple[str, str, int]] = set()
_MOST_LOGGED = 1000


class Vendor(Answers, ABC):
    """One vendor's API, as seen with one account."""

    name: ClassVar[str]
    """Also the connection type."""
    label: ClassVar[str]
    """What people call it."""
    default_host: ClassVar[str]
    docs_url: ClassVar[str]
    states: ClassVar[Mapping[str, JobState]]
    """The vendor's words for a job's state, in any case; the connection's extra ``states`` may name more. Any other
    word counts as running."""
    poll_interval: ClassVar[float]
    """Seconds between looks at one job that the vendor's limits bear."""
    rate_limits: ClassVar[tuple[RateLimit, ...]]
    keeps_partial_results: ClassVar[bool] = False
    """Whether a cancelled job's results so far can be downloaded."""
    listing: ClassVar[Listing | None] = None
    """What :meth:`list_page` shows; None where one request tells of one job only."""

    def __init__(self, account: Account) -> None:
        self.account = account
        named = named_states(account.extra.get("states"), self.name)
        self._states = {**{fold(word): state for word, state in self.states.items()}, **named}

    @property
    def rate_limit_scope(self) -> str:
        """What the vendor counts requests by, as a name that gives no secret away: the credentials, each for itself."""
        return self.account.fingerprint

    @property
    def account_name(self) -> str | None:
        """What the vendor knows the account by, whichever key it has; None where it is only known by its key."""
        return self.account.login

    @abstractmethod
    def auth(self) -> httpx.Auth:
        """What puts the account's credentials on a request."""

    @abstractmethod
    def submit(self, submission: Submission) -> Flow[Job]:
        """Submit a job. Its request has ``repeatable=False``."""

    @abstractmethod
    def get_job(self, job_id: str) -> Flow[Job]:
        """Look at one job."""

    @abstractmethod
    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The request answered with ``file``, or with a redirect to it."""

    def list_jobs(self) -> Flow[list[Job]]:
        """All jobs that the vendor lists, every page of them."""
        raise self.unsupported("list jobs")

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """One page of the vendor's list, with one request.

        Args:
            cursor: ``JobPage.following`` of the page before; None for the first.
        """
        raise self.unsupported("list jobs")

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job; one that is already cancelled is no error."""
        raise self.unsupported("cancel a job", job_id)

    def get_balance(self) -> Flow[int | None]:
        """Credits left, or None where the API does not tell."""
        return answer(None)

    @abstractmethod
    def check(self) -> Flow[str]:
        """The cheapest authenticated request; returns a line for the person who pressed Test."""

    def find_submitted(self, submission: Submission) -> Flow[Job | None]:
        """The job that ``submission`` made, looked for a few times; None where it is not there (or cannot be found).

        Where a request is all to know it by, another task's may be equal. So one that has failed or was cancelled is
        taken only if no other turns up: of that, nothing would come.

        Raises:
            SubmitUncertainError: it is not found, and the list does not show all: an item that may be it cannot be
                read, or pages are missing.
        """
        ended: Job | None = None
        is_whole = True
        for delay in ADOPTION_DELAYS:
            jobs = yield from self.candidates(submission, delay)
            is_whole = None not in jobs
            for job in jobs:
                if job is None or job.id in submission.earlier:
                    continue
                if job.state not in (JobState.FAILED, JobState.CANCELLED):
                    return job
                ended = ended or job
        if not is_whole:
            raise SubmitUncertainError(
                f"The list of {self.label} jobs does not show all of them, or has an item that cannot be read: the job "
                f"may be among these. {self.to_check(submission)}",
                vendor=self.name,
            )
        return ended

    def candidates(self, submission: Submission, delay: float) -> Flow[Sequence[Job | None]]:
        """The listed jobs that may be the one that ``submission`` made; none where the vendor has no list.

        None among them stands for what the list does not show: an item that may be the job, and cannot be read, or
        pages that are missing. :func:`airflow_provider_batchdl.vendors.matching.recognized` makes it of items.

        Args:
            submission: what was submitted.
            delay: seconds to wait before the first request.
        """
        return answer([])

    def clue(self, submission: Submission) -> str:
        """What a person can recognise the job of ``submission`` by, in the vendor's dashboard: "a job with …"."""
        return f"a job made at {submission.time()} or up to a few minutes later, with the request {submission.gist()}"

    def state_of(self, word: str) -> JobState:
        """The state behind the vendor's word. An unknown one counts as running, and is logged once an hour."""
        state = self.known_state(word)
        if state is None:
            self._log_unknown(word)
        return state or JobState.RUNNING

    def known_state(self, word: object) -> JobState | None:
        """The state behind a word, None where it is none that the vendor or the connection names."""
        return self._states.get(fold(word)) if isinstance(word, str) else None

    def _log_unknown(self, word: str) -> None:
        word = excerpt(word, 80)
        seen = (self.name, word, int(time.monotonic() // 3600))
        if seen in _unknown_states_logged:
            return
        if len(_unknown_states_logged) >= _MOST_LOGGED:
            _unknown_states_logged.clear()
        _unknown_states_logged.add(seen)
        log.warning(
            "%s reports the unknown job state %r; it counts as running. If the job has ended, say so in the "
            'connection\'s extra: {"states": {%s: "failed"}}.',
            self.label,
            word,
            json.dumps(word),
        )

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files of a job that has results."""
        return job.files or (ResultFile(id=job.id),)

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """What a result file should be, as the suffix of its name: ``csv``, ``json``, …; None where that is open.

        ``jsonl`` also means that a file called JSON holds a record a line, be it only one, or an array of records.
        """
        return None

    def has_results(self, job: Job, *, accept_partial: bool = False) -> bool:
        """Whether a wait for ``job`` is over: the one decision of sensor, trigger and operators.

        Returns:
            True where results can be downloaded, False while the job goes on.

        Raises:
            JobFailedError: the job failed.
            JobCancelledError: it was cancelled, and partial results are not wanted or not kept.
        """
        if job.state is JobState.SUCCEEDED:
            return True
        if job.state is JobState.FAILED:
            raise JobFailedError(f"The {self.label} job failed in state {job.vendor_state}.", **self._about(job))
        if job.state is JobState.CANCELLED:
            if accept_partial and self.keeps_partial_results:
                return True
            raise JobCancelledError(f"The {self.label} job was cancelled.", **self._about(job))
        return False

    def _about(self, job: Job) -> dict[str, Any]:
        return {"vendor": self.name, "job_id": job.id, "vendor_message": job.message}

    def unsupported(self, what: str, job_id: str | None = None) -> UnsupportedOperationError:
        """The error for something this API cannot do."""
        return UnsupportedOperationError(f"{self.label}'s API cannot {what}.", vendor=self.name, job_id=job_id)

    def submit_once(self, submission: Submission) -> Flow[Job]:
        """Submit, and where the answer is lost look the job up instead of sending it again.

        Raises:
            SubmitUncertainError: the request may have been accepted, and the job cannot be found.
        """
        try:
            return (yield from guarded(self, self.submit(submission)))
        except VendorUnavailableError as error:
            if not error.maybe_processed:
                raise
            lost: BatchDlError = error
        except UnexpectedResponseError as error:
            if error.status in _NOT_TAKEN:
                raise
            lost = error
        try:
            job = yield from guarded(self, self.find_submitted(submission))
        except BatchDlError as error:
            log.warning("Could not look for the job whose submit was not answered: %s", error)
            job = None
        if job is None:
            raise SubmitUncertainError(
                f"The submit to {self.label} may or may not have been accepted, and no such job is found. "
                f"{self.to_check(submission)}",
                vendor=self.name,
                status=lost.status,
                vendor_message=lost.vendor_message or lost.message,
            ) from lost
        log.warning("The answer to the submit was lost; found the job again as %s.", job.id)
        return job

    def to_check(self, submission: Submission) -> str:
        """The sentence that tells a person what to look for after an uncertain submit."""
        return f"Look at {self.label} for {self.clue(submission)}."
