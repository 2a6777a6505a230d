"""Requests and answers of a vendor by its document: the part that all operations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urljoin, urlsplit

from airflow_provider_batchdl._redaction.redactor import excerpt, remember
from airflow_provider_batchdl.exceptions import JobNotFoundError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors import dates, reading
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.declared import answers, requests
from airflow_provider_batchdl.vendors.declared.credentials import auth_of, check_credentials, token_url
from airflow_provider_batchdl.vendors.declared.document import OAuth2
from airflow_provider_batchdl.vendors.declared.refusing import DescribedErrors
from airflow_provider_batchdl.vendors.declared.templates import Values, as_text, fill_path, fill_text
from airflow_provider_batchdl.vendors.errors import json_of
from airflow_provider_batchdl.vendors.pointers import find, value_at
from airflow_provider_batchdl.vendors.states import fold

if TYPE_CHECKING:
    import httpx

    from airflow_provider_batchdl.vendors.account import Account
    from airflow_provider_batchdl.vendors.declared.calls import Call, FileSource, Pointers

_IDS = {"whole": "a whole number", "uuid": "a UUID", "text": "a text"}


class Described(DescribedErrors):
    """A vendor with a document."""

    scope: ClassVar[str] = ""
    """Digest of a document that comes from a connection: two accounts of one key are two, if their documents differ."""

    def __init__(self, account: Account) -> None:
        super().__init__(replace(account, scope=self.scope) if self.scope else account)
        check_credentials(self.document, self.account, self.name)
        self.on_notice: Callable[[str, Pointers, object], None] = lambda *_: None
        """Gets what each pointer of the document found; ``airflow batchdl vendor try`` shows it."""
        stated = (answers.BY_STATUS.fullmatch(word) for word in self._states)
        self._accepts = {int(found[1]) for found in stated if found and int(found[1]) >= 300}
        self._partial = {fold(word) for word in self.document.partial}
        self.extra_values = {name: self._extra(name) for name in self.document.extra}
        if isinstance(self.document.auth, OAuth2) and self.account.login:
            token_url(self.document, self.account, self.values())

    def _extra(self, name: str) -> str | None:
        member = self.document.extra[name]
        value = self.account.text(name) or member.default
        if member.secret:
            remember(value)
        field = f"extra field {name!r}"
        if value is None and member.required:
            others = f" It is none of {', '.join(self.ignored_extra)}." if self.ignored_extra else ""
            remedy = f'Set the connection extra "{name}". {member.description}'.strip() + others
            raise self.account.wrong(field, "is missing", remedy, vendor=self.name)
        if value is not None and member.values and value not in member.values:
            known = ", ".join(member.values)
            raise self.account.wrong(
                field, f"is {excerpt(value, 40)!r}, and may be {known}", "Correct it.", vendor=self.name
            )
        return value

    # Requests.

    def values(self, **single: Any) -> Values:
        """The values of holes; those of one word by keyword, ``job_id`` for ``{job.id}``."""
        named = {name.replace("_", "."): value for name, value in single.items()}
        return Values(named, secret=self.account.secret, extra=self.extra_values)

    def auth(self) -> httpx.Auth:
        """The credentials as the document says, with its headers for all requests."""
        return auth_of(self.document, self.account, self.values())

    def call(
        self, operation: str, call: Call | FileSource, job_id: str | None = None, file_id: str | None = None
    ) -> ApiRequest:
        """The request that ``call`` makes, about a job or a file."""
        shape = self.document.job
        if job_id is not None and not answers.is_id(shape, job_id):
            raise self.wrong_id(job_id, _IDS[shape.id_is])
        accepts = self._accepts if call is self.document.status else ()
        values = self.values(job_id=job_id, file_id=file_id)
        return requests.request_of(operation, call, values, job_id=job_id, accepts=accepts)

    def write_date(self, value: date) -> str:
        """Dates and times of a request, as the document says."""
        write = {"days": dates.as_day, "moments": dates.as_moment}.get(self.document.dates, dates.as_text)
        return write(value)

    def has_results(self, job: Job) -> bool:
        """True if a job has result files, all or some."""
        return job.state is JobState.SUCCEEDED or self.has_partial_results(job)

    def has_partial_results(self, job: Job) -> bool:
        """True if a job that has not succeeded keeps partial results."""
        named = job.state.is_terminal and fold(job.vendor_state) in self._partial
        return named or super().has_partial_results(job)

    # Answers.

    def found(self, operation: str, response: httpx.Response, at: str) -> Any:
        """The value that the pointer ``at`` finds in an answer, whose secrets are hidden from then on."""
        body = self.read_json(operation, response)
        self.hide_secrets(body)
        return find(body, at) if at else body

    def need(self, operation: str, response: httpx.Response, pointers: Pointers, what: str) -> Any:
        """The value that the pointers find in an answer."""
        body = self.found(operation, response, "")
        found = answers.need(body, pointers, what)
        self.on_notice(operation, pointers, found)
        return found

    def read(self, operation: str, response: httpx.Response, at: str, job_id: str | None = None) -> Job:
        """The job that an answer shows, by its body, its status or a header."""
        shape, word = self.document.job, f"HTTP {response.status_code}"
        header = shape.id_header if operation == "submit" else None
        if header is not None:
            job_id = self._id_in(answers.header_of(response, header))
        if header is not None or (operation == "status" and self.known_state(word) is not None):
            if response.is_success and response.content.lstrip()[:5].lower() in (b"<!doc", b"<html"):
                raise ValueError("the body is a page")  # a login page's 200 is no job's
            self.hide_secrets(body := json_of(response))
            item = find(body, at) if isinstance(body, dict) else None
            return self.read_job(operation, item or {}, job_id, None if header else word)
        body = self.found(operation, response, "")
        # As in an answer of GraphQL about an unknown id.
        is_null = find(body, at) is None and value_at(json_of(response), at, "nothing") is None
        if is_null and at and job_id is not None:
            raise JobNotFoundError(
                f"{self.label} has no job of this id.", vendor=self.name, job_id=job_id, status=response.status_code
            )
        return self.read_job(operation, answers.need(body, at, "job"), job_id)

    def _id_in(self, text: str) -> str:
        """The id in a header: the text, or what a URL has where the path of ``[status]`` has the id."""
        url = urljoin(f"{self.base_url}/", text)
        start, _, end = fill_path(self.document.status.path, self.values(job_id="\0")).partition("%00")
        start, path = f"{urlsplit(self.base_url).path}{start}", urlsplit(url).path
        found = path.removeprefix(start).removesuffix(end)
        is_one = "/" not in found or "{+job.id}" in self.document.status.path
        if self.is_home(url) and path == f"{start}{found}{end}" and is_one:
            return unquote(found)
        if "/" in text:
            raise ValueError("the URL in it is none of [status]")
        return text

    def read_job(self, operation: str, item: Any, job_id: str | None = None, word: str | None = None) -> Job:
        """The job that an item of an answer shows; TypeError or ValueError if it shows none. ``word``: its state."""
        shape = self.document.job
        if not isinstance(item, Mapping):
            raise TypeError(f"a job is an object, and not {type(item).__name__}")
        raw_id: Any = job_id
        if job_id is None or (word is None and shape.id_header is None):
            may_lack_it = shape.id_optional and job_id is not None
            raw_id = find(item, shape.id) if may_lack_it else answers.need(item, shape.id, "id")
        raw_state = word or find(item, shape.state)
        raw_state = shape.state_missing if raw_state is None else raw_state
        if self.known_state(word := as_text(raw_state)) is not None:
            raw_state = word  # a code, for some: the document has numbers as text
        found = reading.as_id(job_id if raw_id is None else raw_id)
        found = str(reading.as_int(found)) if shape.id_is == "whole" else found
        self.on_notice(operation, shape.id, raw_id)
        self.on_notice(operation, shape.state, raw_state)
        state, word = self.read_state(operation, raw_state)
        if state is JobState.SUCCEEDED and find(item, shape.failed):
            state = JobState.FAILED
        progress, records = answers.progress_of(shape, item)
        message, name = reading.as_text(find(item, shape.message)), reading.as_text(find(item, shape.name))
        job = Job(found, state, word, message=message, progress=progress, records=records, name=name)
        return self.with_files(job, item, {}) if self.has_results(job) else job

    # Files.

    def with_files(self, job: Job, item: Any, further: Mapping[str, Any]) -> Job:
        """``job`` with the files that its answer names, and those of further answers by the files' kind."""
        listed: list[ResultFile] = []
        for source in self.document.sources:
            if source.call is None or source.kind in further:
                listed += self._files_of(source, job, further.get(source.kind, item), item)
        return replace(job, files=tuple(listed))

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files that the job's answer names; of a kind without pointers, the one that every job has."""
        fixed = [each for each in self.document.sources if each.items is None and each.id is None and each.link is None]
        return job.files or tuple(self._file(source, job, job.id, {}) for source in fixed)

    def _files_of(self, source: FileSource, job: Job, answer: Any, item: Any) -> list[ResultFile]:
        if source.items is not None:
            # Some members exist only once a job has succeeded: there, an empty list is empty, and a missing one none.
            is_needed = job.state is JobState.SUCCEEDED
            raw = answers.need(answer, source.items, "list of files") if is_needed else find(answer, source.items) or []
            named = reading.as_list(raw)
        elif source.id is not None or source.link is not None:
            named = [answer] if find(answer, source.id or source.link) is not None else []
        else:
            return [self._file(source, job, job.id, item)]
        self.on_notice("files", source.items or source.id or source.link or (), named)
        files: list[ResultFile] = []
        for file_id, each in answers.with_ids(source, job.id, named):
            size, part = reading.as_size(find(each, source.size)), reading.as_size(find(each, source.part))
            files.append(self._file(source, job, file_id, item, size=size, part=part))
        return files

    def _file(self, source: FileSource, job: Job, file_id: str, item: Any, **facts: Any) -> ResultFile:
        values = self.values(job_id=job.id, file_id=file_id, answer=item)
        name = None if source.name is None else fill_text(source.name, values)
        return ResultFile(file_id, name, kind=source.kind, **facts)
