"""Result files of a vendor by its document: which there are, where they are, and what comes after a page of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.vendors.declared import answers
from airflow_provider_batchdl.vendors.declared.described import Described
from airflow_provider_batchdl.vendors.declared.pointers import find
from airflow_provider_batchdl.vendors.declared.templates import fill_path
from airflow_provider_batchdl.vendors.reading import as_list, as_token
from airflow_provider_batchdl.vendors.requests import ApiRequest

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Flow

# Suffixes of names that say what is in a file.
_FORMATS = frozenset({"csv", "json", "jsonl", "ndjson", "parquet"})


class DescribedResults(Described):
    """A vendor's results, by its document."""

    def result_files(self, job: Job) -> tuple[ResultFile, ...]:
        """The files that the job's answer names; of a kind without pointers, the one that every job has."""
        return job.files or answers.fixed_files(self, job)

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
        if source.link is None:
            return self.result_request(job, file)
        call = source.call or self.document.status
        request = self.result_request(job, file) if source.path is not None else self.call("status", call, job.id)
        response = yield request
        item = self.found("status", response, "" if source.path is not None else call.at)
        if source.items is not None and source.path is None:
            items = answers.with_ids(source, job.id, as_list(find(item, source.items) or []))
            item = dict(items).get(file.id)
        link = find(item, source.link)
        if link is None:
            raise self.malformed("download", response, answers.MissingError("link", source.link))
        url = urljoin(f"{self.base_url}/", as_token(link))
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
