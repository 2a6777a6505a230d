"""The part of a vendor that says what a job's results are, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_batchdl.exceptions import JobCancelledError, JobFailedError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_batchdl.vendors.base import Flow
    from airflow_provider_batchdl.vendors.requests import ApiRequest


_TAKE_PARTIAL = "Submit a new job, or take the results that this one left with accept_partial=True."


class Results(Answers):
    """Results of jobs of one account."""

    keeps_partial_results: ClassVar[bool] = False
    """True if a cancelled job's results so far can be downloaded; see :meth:`has_partial_results` for other states."""

    def locate(self, job: Job, file: ResultFile) -> Flow[ApiRequest]:
        """The request that is answered with ``file``, or with a redirect to it.

        Asked again whenever a link is refused or has expired, so a signed URL is asked for here, returned as the
        request's ``url``, and stored nowhere. A class has this method or :meth:`result_request`.

        Args:
            job: the job, as it was when its files were listed.
            file: one of them.
        """
        yield from ()
        return self.result_request(job, file)

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The request for ``file``, where it follows from the ids alone; see :meth:`locate`."""
        raise TypeError(f"the class of the vendor {self.name} has neither locate nor result_request")

    def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
        """The page of a result after ``file``, for an API that names it in a header of the response; None for the last.

        Each page lands as a part; with the option ``join_pages``, the pages of a CSV land as one file.

        Args:
            job: the job.
            file: the page.
            headers: of the response that brought it; names in any case.
        """
        return None

    @property
    def has_pages(self) -> bool:
        """True if a result may come in pages."""
        return type(self).next_file is not Results.next_file

    def has_partial_results(self, job: Job) -> bool:
        """True if an ended job that did not succeed has results so far that can be downloaded.

        Args:
            job: the job; its ``vendor_state`` is the vendor's word.
        """
        return job.state is JobState.CANCELLED and self.keeps_partial_results

    def job_url(self, job: Job) -> str | None:
        """The page of a job for people, without a secret in it; None if the vendor has none.

        Args:
            job: the job, of which perhaps only the id is known.
        """
        return None

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files of a job that has results."""
        return job.files or (ResultFile(id=job.id),)

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """Expected format of a result file, as the suffix of its name: ``csv``, ``json``, …; None where that is open.

        ``jsonl`` also means that a file called JSON holds a record a line, be it only one, or an array of records.
        """
        return None

    def ensure_results(self, job: Job, *, accept_partial: bool = False) -> bool:
        """True if a wait for ``job`` is over: the one decision of sensor, trigger and operators.

        Returns:
            True where results can be downloaded, False while the job is not done.

        Raises:
            JobFailedError: the job failed, and partial results are not wanted or not stored.
            JobCancelledError: it was cancelled, likewise.
        """
        if job.state is JobState.SUCCEEDED:
            return True
        if accept_partial and job.state.is_terminal and self.has_partial_results(job):
            return True
        if job.state is JobState.FAILED:
            remedy = _TAKE_PARTIAL if self.has_partial_results(job) else None
            message = f"The {self.label} job failed in state {job.vendor_state}."
            raise JobFailedError(message, remedy=remedy, **self._about(job))
        if job.state is JobState.CANCELLED:
            raise JobCancelledError(f"The {self.label} job was cancelled.", **self._about(job))
        return False

    def _about(self, job: Job) -> dict[str, Any]:
        return {"vendor": self.name, "job_id": job.id, "vendor_message": job.message}
