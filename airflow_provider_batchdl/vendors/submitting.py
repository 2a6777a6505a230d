"""The part of a vendor that submits: once, and adopts the job of a lost answer."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._values import times
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    SubmitUncertainError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.vendors.answers import Answers
from airflow_provider_batchdl.vendors.checking import prepare_submission
from airflow_provider_batchdl.vendors.flows import guarded, immediate, observed
from airflow_provider_batchdl.vendors.matching import CLOCK_TOLERANCE

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.base import Flow, Vendor
    from airflow_provider_batchdl.vendors.requests import ApiRequest, Submission

log = get_logger(__name__)

# By these a server says that it did not act on a POST; a 302 or 303 may come after it did.
_NOT_TAKEN = frozenset({301, 307, 308, *range(400, 500)})
# A submitted job may take a moment to show in the vendor's list: seconds to wait before each list request.
ADOPTION_DELAYS = (0.0, 2.0, 5.0)
# A clock that differs by more is not what a `Date` shows, but an answer of another day.
MOST_AHEAD = timedelta(days=1)


class _VendorClock:
    """Compares this machine's clock with the vendor's, by the ``Date`` of its answers (RFC 9110, section 6.6.1).

    By ours, a job that was made now may seem too old to be the one submitted.
    """

    def __init__(self) -> None:
        self.ahead = timedelta()
        """How far ours is ahead."""

    def note(self, _: ApiRequest, answer: httpx.Response | BatchDlError) -> None:
        """Note an answer."""
        date = None if isinstance(answer, BatchDlError) else times.http_date(answer.headers.get("date"))
        if date is not None:
            ahead = timedelta(seconds=times.now().timestamp() - date.timestamp())
            self.ahead = ahead if timedelta() < ahead <= MOST_AHEAD else timedelta()


class _SubmitAttempt:
    """Notes the answers to the requests of a submit's flow. Only those with ``repeatable=False`` make a job.

    ==========================================  ==========================================
    the last such request                       an error at the end of the flow
    ==========================================  ==========================================
    none was sent, or the vendor refused it     certain: no job was made
    its answer was lost, or makes no sense      uncertain
    was answered, and nothing was sent since    certain if the answer itself says "not taken"
    was answered, and others were sent since    uncertain: the job may be there
    ==========================================  ==========================================
    """

    def __init__(self) -> None:
        self._answered = False
        self._went_on = False
        self._lost: BatchDlError | None = None

    def note(self, request: ApiRequest, answer: httpx.Response | BatchDlError) -> None:
        """Note the answer to a request of the flow, or the error that it was."""
        self._went_on = self._answered
        if request.repeatable:
            return
        if not isinstance(answer, BatchDlError):
            self._answered = True
        elif _leaves_it_open(answer):
            self._lost = answer

    def doubt(self, error: BatchDlError) -> BatchDlError | None:
        """The error that leaves open whether a job was made; None if none was."""
        if self._lost is not None or self._went_on:
            return self._lost or error
        return error if self._answered and _leaves_it_open(error) else None


def _leaves_it_open(error: BatchDlError) -> bool:
    """True if a request with this error may have been accepted."""
    if isinstance(error, VendorUnavailableError):
        return error.maybe_processed
    return isinstance(error, UnexpectedResponseError) and error.status not in _NOT_TAKEN


class Submits(Answers):
    """Submits jobs of one account."""

    @abstractmethod
    def submit(self, submission: Submission) -> Flow[Job]:
        """Submit a job. The request that makes it has ``repeatable=False``; an upload before it may be repeated."""

    def find_submitted(self, submission: Submission) -> Flow[Job | None]:
        """The job that ``submission`` made, searched a few times; None where it is not there (or cannot be found).

        Where a request is all to know it by, another task's may be equal. So one that has failed or was cancelled is
        adopted only if there is no other: it would have no result.

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
                if job is None or job.id in submission.known_job_ids:
                    continue
                if job.state not in (JobState.FAILED, JobState.CANCELLED):
                    return job
                ended = ended or job
        if not is_whole:
            raise SubmitUncertainError(
                f"The list of {self.label} jobs does not show all of them, or has an item that cannot be read: the job "
                f"may be among these. {self.describe_where_to_check(submission)}",
                vendor=self.name,
            )
        return ended

    def search_submitted(self, submission: Submission) -> Flow[Job | None]:
        """As :meth:`find_submitted`, and once more by the vendor's clock where this machine's is ahead of it."""
        clock = _VendorClock()
        job = yield from observed(self.find_submitted(submission), clock.note)
        if job is None and clock.ahead > CLOCK_TOLERANCE:
            log.warning(
                "This machine's clock is %.0f s ahead of that of %s; searching again by theirs",
                clock.ahead.total_seconds(),
                self.label,
            )
            earlier = replace(submission, submitted_at=submission.submitted_at - clock.ahead)
            job = yield from self.find_submitted(earlier)
        return job

    def candidates(self, submission: Submission, delay: float) -> Flow[Sequence[Job | None]]:
        """The listed jobs that may be the one that ``submission`` made; none where the vendor has no list.

        None among them stands for what the list does not show: an item that may be the job, and cannot be read, or
        pages that are missing. :func:`airflow_provider_batchdl.vendors.matching.searched` goes through a list.

        Args:
            submission: what was submitted.
            delay: seconds to wait before the first request.
        """
        return immediate([])

    def describe_lost_submit(self, submission: Submission) -> str:
        """Description of the job of ``submission`` for the vendor's dashboard: "a job of …"."""
        if submission.file is not None:  # no other job has a file of this name
            return f"a job of the file {submission.upload_name()!r}, submitted at {submission.time()}"
        return (
            f"a job made at {submission.time()} or up to a few minutes later, with the request {submission.describe()}"
        )

    def submit_once(self, submission: Submission) -> Flow[Job]:
        """Submit; where the answer is lost, adopt the job instead of submitting again.

        Raises:
            SubmitUncertainError: the request may have been accepted, and the job cannot be found.
            VendorUnavailableError: among others, if the vendor's list shows that no job was made.
        """
        vendor = cast("Vendor", self)  # of which this is a part
        submission = prepare_submission(vendor, submission)
        attempt = _SubmitAttempt()
        try:
            return (yield from guarded(vendor, observed(self.submit(submission), attempt.note)))
        except BatchDlError as error:
            doubt = attempt.doubt(error)
            if doubt is None:
                raise
            lost = doubt
        began, decides = times.now(), self.lists_every_submit
        try:
            job = yield from guarded(vendor, self.search_submitted(submission))
        except BatchDlError as error:
            log.warning("Could not search for the job whose submit got no response: %s", error)
            job, decides = None, False
        if job is None and decides and (times.now() - began).total_seconds() >= self.listed_within:
            raise VendorUnavailableError(
                f"The submit to {self.label} got no response and was not accepted: "
                "its list of all jobs does not show it.",
                vendor=self.name,
                status=lost.status,
                vendor_message=lost.vendor_message or lost.message,
                maybe_processed=False,
            ) from lost
        if job is None:
            raise SubmitUncertainError(
                f"The submit to {self.label} may or may not have been accepted, and no such job is found. "
                f"{self.describe_where_to_check(submission)}",
                vendor=self.name,
                status=lost.status,
                vendor_message=lost.vendor_message or lost.message,
            ) from lost
        log.warning("The submit got no response; adopted job %s", job.id)
        return job

    @property
    def lists_every_submit(self) -> bool:
        """True if a submitted job that is not found was not made, once :attr:`listed_within` has passed."""
        listing = cast("Vendor", self).listing
        searches = type(self).candidates is not Submits.candidates or (
            type(self).find_submitted is not Submits.find_submitted
        )
        return searches and listing is not None and listing.complete

    @property
    def listed_within(self) -> float:
        """Seconds within which the list shows a job that was made."""
        listing = cast("Vendor", self).listing
        return math.inf if listing is None else listing.lag

    def describe_where_to_check(self, submission: Submission) -> str:
        """Sentence that says what to check after an uncertain submit."""
        return f"Check {self.label} for {self.describe_lost_submit(submission)}."
