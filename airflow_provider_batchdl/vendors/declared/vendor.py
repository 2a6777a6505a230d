"""A vendor's class made from a document."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from airflow_provider_batchdl.exceptions import InvalidRequestError, JobNotFoundError, ResultNotReadyError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Submission
from airflow_provider_batchdl.vendors.checking import RequestRules, prepare_submission
from airflow_provider_batchdl.vendors.declared import answers, listing, requests
from airflow_provider_batchdl.vendors.declared.described import Described
from airflow_provider_batchdl.vendors.declared.document import Basic, Document, OAuth2
from airflow_provider_batchdl.vendors.declared.loading import load
from airflow_provider_batchdl.vendors.declared.templates import fill_path, holes
from airflow_provider_batchdl.vendors.files import FileRules
from airflow_provider_batchdl.vendors.listing import JobPage, Listing
from airflow_provider_batchdl.vendors.pointers import find, several
from airflow_provider_batchdl.vendors.reading import as_int, as_list, as_token
from airflow_provider_batchdl.vendors.requests import RateLimit
from airflow_provider_batchdl.vendors.states import fold

# Suffixes of names that say what is in a file.
_FORMATS = frozenset({"csv", "json", "jsonl", "ndjson", "parquet"})


class Declared(Described):
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
        for name, value in _facts_of(document).items():
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
        return type(name, (cls,), {"__module__": cls.__module__, **_facts_of(document)})

    # Jobs.

    def submit(self, submission: Submission) -> Flow[Job]:
        """Send the document's steps, one after another; the last one's answer is the job."""
        return self._submitted(submission, again=False)

    def _submitted(self, submission: Submission, *, again: bool) -> Flow[Job]:
        kept: dict[str, Any] = {}
        values = self.values(key=submission.key, request=dict(submission.request), step=kept)
        job: Job | None = None
        has_file = submission.file is not None
        steps = list(requests.steps_for(self.document.steps, has_file=has_file))
        if lost := requests.unsent([step for step, _ in steps], submission.request):
            raise InvalidRequestError(
                f"No request of the submit to {self.label} would have the request's {' and '.join(map(repr, lost))}.",
                vendor=self.name,
                remedy="Leave it out of the task's request, or have a step of the document's [submit] send it.",
            )
        is_idempotent = requests.is_idempotent(self.document.steps, has_file=has_file)
        for step, is_last in steps:
            request = requests.step_request(self, step, values, submission, is_last=is_last)
            if is_idempotent and is_last and not again:
                # The key is stored before it is sent: another one would make a second job.
                request = replace(request, repeatable=False)
            response = yield request
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
        return self.with_files(job, item, further)

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
            raise ValueError("its status is none of a job's")
        return job

    def candidates(self, submission: Submission, delay: float) -> Flow[list[Job | None]]:
        """The listed jobs with the submission's key, or with its request; of an idempotent submit, what it makes."""
        if requests.is_idempotent(self.document.steps, has_file=submission.file is not None):
            return [(yield from self._submitted(prepare_submission(self, submission), again=True))]
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
        return as_int(self.need("balance", response, call.credits, "number of credits"))

    def check(self) -> Flow[str]:
        """The document's check, else the balance, else one page of the list."""
        words = f"{self.label} accepts the credentials"
        if self.document.check is not None:
            response = yield self.call("check", self.document.check)
            if self.document.check.expect:
                self.need("check", response, self.document.check.expect, "answer")
            elif response.content.lstrip().startswith(b"<"):
                raise ValueError("the body is a page")
        elif self.document.balance is not None:
            words += f"; {(yield from self.get_balance())} credits left"
        else:
            yield from self.list_page()
        return f"{words}."

    def describe_lost_submit(self, submission: Submission) -> str:
        """The name of the upload, the key that was sent, or the request."""
        if submission.file is None and any(
            "key" in holes([step.json, step.params, step.form]) for step in self.document.steps
        ):
            return f"a job with the key {submission.key!r}, submitted at {submission.time()}"
        return super().describe_lost_submit(submission)

    # Results.

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        """The request that the document has for files of this kind."""
        source = answers.source_of(self.document, file)
        request = self.call("download", source, job.id, file.id)
        if source.next_param is None or file.id == job.id:
            return request
        return replace(request, params={**(request.params or {}), source.next_param: file.id})

    def locate(self, job: Job, file: ResultFile) -> Flow[ApiRequest]:
        """The request for a file, whose link is in an answer or not."""
        source = answers.source_of(self.document, file)
        if source.link_header is not None:
            request = self.call("status", self.document.status, job.id)
            response = yield request
            url = urljoin(f"{self.base_url}{request.path}", answers.header_of(response, source.link_header))
            return ApiRequest("download", "GET", url=url, job_id=job.id)
        if source.link is None:
            return self.result_request(job, file)
        call = source.call or self.document.status
        request = self.result_request(job, file) if source.path is not None else self.call("status", call, job.id)
        response = yield request
        item = self.found("status", response, "" if source.path is not None else call.at)
        if source.items is not None and source.path is None:
            items = answers.with_ids(source, job.id, as_list(find(item, source.items) or []))
            item = dict(items).get(file.id)
        link = as_token(answers.need(item, source.link, "link"))
        url = urljoin(f"{self.base_url}/", link)
        return ApiRequest("download", "GET", url=url, job_id=job.id)

    @property
    def has_pages(self) -> bool:
        """True if the document names a header with the next page."""
        return any(source.next_header is not None for source in self.document.sources)

    def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
        """The next page of a result, by the header that the document names."""
        source = answers.source_of(self.document, file)
        text = headers.get((source.next_header or "").lower(), "").strip()
        return None if text in ("", "null") else ResultFile(as_token(text), file.name, kind=file.kind)

    def expected_format(self, job: Job, file: ResultFile) -> str | None:
        """The document's format, else the suffix of the file's or the job's name."""
        source = answers.source_of(self.document, file)
        suffixes = ((name or "").rpartition(".")[2].lower() for name in (file.name, job.name))
        return source.format or next((each for each in suffixes if each in _FORMATS), None)

    def job_url(self, job: Job) -> str | None:
        """The job's page, if the document has one."""
        template = self.document.job_url
        if template is None:
            return None
        scheme, _, rest = template.partition("://")
        return f"{scheme}://{fill_path(rest, self.values(job_id=job.id))}"


def _facts_of(document: Document) -> dict[str, Any]:
    """The class variables of a vendor that a document describes, see ``Vendor``."""
    states = {word: JobState(state) for word, state in document.states.items()}
    partial = {fold(word) for word in document.partial}
    cancelled = {fold(word) for word, state in states.items() if state is JobState.CANCELLED}
    call = document.list
    first = several(document.job.id)[0] if document.job.id else ""
    return {
        "document": document,
        "name": document.name,
        "label": document.label,
        "default_host": document.base_url or "",
        "docs_url": document.docs_url,
        "states": states,
        "poll_interval": document.poll_interval,
        "rate_limits": tuple(map(RateLimit.of, document.rate_limits)),
        "keeps_partial_results": bool(partial & cancelled),
        "zone": document.zone,
        "request_rules": None if document.request is None else RequestRules(document.request),
        "file_rules": document.file
        or (FileRules() if any(step.upload is not None for step in document.steps) else None),
        "listing": None if call is None else Listing(call.active_only, call.newest_first, call.complete),
        "extra_members": {name: member.description for name, member in document.extra.items()}
        | ({"token_url": "The token endpoint, if it is another."} if isinstance(document.auth, OAuth2) else {}),
        "has_plain_secret": not isinstance(document.auth, Basic),
        "id_member": first.rpartition("/")[2] or "id",
    }
