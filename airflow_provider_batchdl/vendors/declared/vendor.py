"""A vendor's class made from a document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.exceptions import InvalidRequestError, JobNotFoundError, ResultNotReadyError
from airflow_provider_batchdl.jobs import Job
from airflow_provider_batchdl.vendors.base import Flow, Submission
from airflow_provider_batchdl.vendors.declared import answers, listing, requests
from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.facts import facts_of
from airflow_provider_batchdl.vendors.declared.loading import load
from airflow_provider_batchdl.vendors.declared.results import DescribedResults
from airflow_provider_batchdl.vendors.declared.templates import Values, holes
from airflow_provider_batchdl.vendors.declared.unsaid import unsent
from airflow_provider_batchdl.vendors.listing import JobPage
from airflow_provider_batchdl.vendors.reading import as_int


class Declared(DescribedResults):
    """A vendor that a document describes.

    There are three ways to one::

        Acme = Declared.load("acme.toml")               # a path relative to this module, or a bundled name


        class Acme(Declared, source="acme.toml"):       # the same, with a method overridden
            def describe_lost_submit(self, submission):
                return f"a batch called {submission.key}"

    and, without Python, a connection of type ``batchapi``.
    """

    def __init_subclass__(cls, *, source: str | Path | Document | None = None, **kwargs: Any) -> None:
        """Make the class of a document.

        Args:
            source: the document; a path is relative to the module of the class.
            **kwargs: as for any class.

        Raises:
            DocumentError: there is no document, or it cannot be used.
        """
        super().__init_subclass__(**kwargs)
        if source is None:
            return
        beside = getattr(sys.modules.get(cls.__module__), "__file__", None)
        document = source if isinstance(source, Document) else load(source, beside)
        for name, value in facts_of(document).items():
            if name not in vars(cls):
                setattr(cls, name, value)

    @classmethod
    def load(cls, source: str | Path) -> type[Declared]:
        """The class of the document at a path, or of the bundled one of that name.

        Args:
            source: a ``.toml`` or ``.json`` file, relative to the calling module; or a name.

        Raises:
            DocumentError: there is none, or it cannot be used.
        """
        caller = sys._getframe(1).f_globals.get("__file__")
        return cls.of(load(source, caller))

    @classmethod
    def of(cls, document: Document) -> type[Declared]:
        """The class of a document."""
        name = f"{cls.__name__}_{document.name}"
        return type(name, (cls,), {"__module__": cls.__module__, **facts_of(document)})

    # Jobs.

    def submit(self, submission: Submission) -> Flow[Job]:
        """Send the document's steps, one after another; the last one's answer is the job."""
        kept: dict[str, Any] = {}
        job: Job | None = None
        has_file = submission.file is not None
        steps = list(requests.steps_for(self.document.steps, has_file=has_file))
        if lost := unsent([step for step, _ in steps], submission.request):
            raise InvalidRequestError(
                f"No request of the submit to {self.label} would have the request's {' and '.join(map(repr, lost))}.",
                vendor=self.name,
                remedy="Leave it out of the task's request, or have a step of the document's [submit] send it.",
            )
        for step, is_last in steps:
            single = {"secret": self.account.secret, "key": submission.key}
            values = Values(single, submission.request, self.extra_values, kept)
            response = yield requests.step_request(self, step, values, submission, is_last=is_last)
            for name, pointer in step.keep.items():
                kept[name] = self.need("submit", response, pointer, name)
            if is_last:
                job = self.read("submit", response, step.at)
        if job is None:
            raise self.unsupported(f"submit {'a file' if has_file else 'a request without a file'}")
        return job

    def get_job(self, job_id: str) -> Flow[Job]:
        """Get one job, and the names of its files where those are another answer's."""
        call = self.document.status
        response = yield self.call("status", call, job_id)
        job = self.read("status", response, call.at, job_id)
        further: dict[str, Any] = {}
        for source in self.document.sources if self.has_results(job) else ():
            if source.call is not None:
                try:
                    answer = yield self.call("status", source.call, job_id)
                except JobNotFoundError as error:  # the job is there: only its absence may cost another one
                    raise ResultNotReadyError(
                        f"{self.label} has the job, and no list of its files.",
                        vendor=self.name,
                        status=error.status,
                        vendor_message=error.vendor_message,
                        remedy="Retry the task; if it persists, correct the call in the document's [files].",
                    ) from error
                further[source.kind] = self.found("status", answer, source.call.at)
        if not further:
            return job
        item = self.found("status", response, call.at)
        try:
            return answers.with_files(self, job, item, further)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.malformed("status", response, error) from error

    def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
        """One page of the vendor's list."""
        if self.document.list is None:
            raise self.unsupported("list jobs")
        return (yield from listing.job_page(self, self.document.list, cursor))

    def cancel_job(self, job_id: str) -> Flow[Job]:
        """Cancel a job."""
        call = self.document.cancel
        if call is None:
            raise self.unsupported("cancel a job", job_id)
        response = yield self.call("cancel", call, job_id)
        job = self.read("cancel", response, call.at, job_id)
        if self.document.job.id_optional and self.known_state(job.vendor_state) is None:
            raise self.malformed("cancel", response, "its status is none of a job's")
        return job

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job | None]]:
        """The listed jobs with the submission's key, or with its request."""
        call = self.document.list
        if call is None or self.document.find is None:
            return []
        return (yield from listing.candidates(self, call, submission, delay))

    def get_balance(self) -> Flow[int | None]:
        """Credits left, if the document says where."""
        call = self.document.balance
        if call is None:
            return None
        response = yield self.call("balance", call)
        try:
            return as_int(self.need("balance", response, call.credits, "number of credits"))
        except (TypeError, ValueError) as error:
            raise self.malformed("balance", response, error) from error

    def check(self) -> Flow[str]:
        """The document's check, else the balance, else one page of the list."""
        words = f"{self.label} accepts the credentials"
        if self.document.check is not None:
            response = yield self.call("check", self.document.check)
            if self.document.check.expect:
                self.need("check", response, self.document.check.expect, "answer")
            elif response.content.lstrip().startswith(b"<"):
                raise self.malformed("check", response, "the body is a page")
        elif self.document.balance is not None:
            words += f"; {(yield from self.get_balance())} credits left"
        else:
            yield from self.list_page()
        return f"{words}."

    def describe_lost_submit(self, submission: Submission) -> str:
        """The name of the upload, the key that was sent, or the request."""
        if submission.file is not None:
            return f"a job of the file {submission.upload_name()!r}, submitted at {submission.time()}"
        if any("key" in holes([step.json, step.params, step.form]) for step in self.document.steps):
            return f"a job with the key {submission.key!r}, submitted at {submission.time()}"
        return super().describe_lost_submit(submission)
