"""Problems of a document that has the right shape: pointers, holes, paths, and members that need another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from airflow_provider_batchdl.vendors.declared.calls import (
    Call,
    Cursor,
    FileSource,
    FindByEcho,
    FindByKey,
    FindByTime,
    Header,
    Link,
    ListCall,
    Offset,
    Pages,
    Step,
)
from airflow_provider_batchdl.vendors.declared.document import Document, HeaderKey, OAuth2
from airflow_provider_batchdl.vendors.declared.places import (
    SHOWN,
    TOKEN,
    of_headers,
    of_holes,
    of_inputs,
    of_path,
    of_pointers,
    of_shown,
    of_url,
)
from airflow_provider_batchdl.vendors.declared.requests import destination_of
from airflow_provider_batchdl.vendors.declared.templates import holes, without_holes
from airflow_provider_batchdl.vendors.declared.unsaid import of_unsaid
from airflow_provider_batchdl.vendors.extras import COMMON
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url
from airflow_provider_batchdl.vendors.requests import CLIENT_HEADERS
from airflow_provider_batchdl.vendors.states import fold, problem_of_words
from airflow_provider_batchdl.vendors.words import problem_of

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_MEMBER = re.compile(r"[A-Za-z0-9_-]{1,50}")
_FORMAT = re.compile(r"[a-z0-9]{1,20}")
_RATE = re.compile(r"[1-9][0-9]{0,8}/[0-9]{1,5}(?:\.[0-9]{1,3})?")
JOB, FILE = ("job.id",), ("job.id", "file.id")
SUBMIT = ("key", "request")


def problems_of(document: Document) -> Iterator[str]:
    """The problems of a document, each a sentence without its end that begins with the place."""
    odd = list(_of_places(document))
    yield from odd or of_unsaid(document)  # a misspelt hole is one problem, not two


def _of_places(document: Document) -> Iterator[str]:
    yield from _of_names(document)
    yield from _of_auth(document)
    yield from _of_submit(document)
    yield from _of_calls(document)
    yield from _of_list(document)
    yield from _of_files(document)
    yield from of_inputs(document)
    for name in ("own", "message", "code", "within", "if_false"):
        yield from of_pointers(f"errors.{name}", getattr(document.errors, name))
    for number, rule in enumerate(document.errors.rules):
        yield from of_pointers(f"errors.rules[{number}].has", rule.has)
    yield from of_pointers("secrets", document.secrets)
    for name in ("id", "state", "message", "name", "progress", "done", "total", "created", "updated"):
        yield from of_pointers(f"job.{name}", getattr(document.job, name))


def _of_names(document: Document) -> Iterator[str]:
    if not _NAME.fullmatch(document.name):
        yield f"name: {document.name[:60]!r} is not made of small letters, digits and '_'"
    if not document.label.strip() or not document.label.isprintable() or len(document.label) > 60:
        yield "label: it needs to be a name for people, of at most 60 characters"
    yield from of_url("docs_url", document.docs_url)
    if document.base_url is not None:
        try:
            if urlsplit(base_url(document.base_url, "https:")).scheme != "https":
                yield "base_url: it needs to be a URL with https"
            if "{" in document.base_url:
                yield "base_url: it has no holes; a path may have them"
        except NoBaseUrlError as error:
            yield f"base_url: it {error}"
    yield from _of_states(document)
    yield from _of_times(document)
    yield from _of_extra(document)


def _of_states(document: Document) -> Iterator[str]:
    if not {"succeeded", "failed"} <= set(document.states.values()):
        yield "states: it needs a word for 'succeeded' and one for 'failed', or a wait never ends"
    if problem := problem_of_words(document.states):
        yield f"states: it has {problem}"
    known = {fold(word) for word in document.states}
    for word in document.partial:
        if fold(word) not in known:
            yield f"partial: {word[:SHOWN]!r} is none of the words of [states]"


def _of_times(document: Document) -> Iterator[str]:
    for rate in document.rate_limits:
        if not _RATE.fullmatch(rate) or not 0.001 <= float(rate.partition("/")[2]) <= 86_400:
            yield f"rate_limits: {rate[:60]!r} is not requests/seconds, like '60/60'"
    if document.zone != "UTC" and document.zone not in available_timezones():
        yield f"zone: {document.zone[:60]!r} is no time zone"


def _of_extra(document: Document) -> Iterator[str]:
    for name, member in document.extra.items():
        if not _MEMBER.fullmatch(name) or name in (*COMMON, "vendor", "vendor_file", "vendor_document"):
            yield f"extra.{name[:60]}: it cannot have that name"
        if member.values and member.default is not None and member.default not in member.values:
            yield f"extra.{name}: its default is none of its values"
        if member.default and (problem := problem_of(member.default)):
            yield f"extra.{name}: its default {problem}"
    if document.job_url is not None:
        yield from of_holes("job_url", document.job_url, JOB, document)
        yield from of_shown("job_url", document.job_url, document)
        whole = without_holes(document.job_url, "!")
        if "{" in whole or next(of_url("job_url", whole), None):
            yield "job_url: it needs to be a URL with https, whose host has no hole"


def _of_auth(document: Document) -> Iterator[str]:
    auth = document.auth
    if isinstance(auth, HeaderKey):
        if not TOKEN.fullmatch(auth.name) or auth.name.lower() in CLIENT_HEADERS - {"authorization"}:
            yield f"auth.name: {auth.name[:60]!r} cannot be the header of a key"
        if not auth.prefix.isascii() or not auth.prefix.isprintable():
            yield "auth.prefix: it is not ASCII"
        if auth.prefix != auth.prefix.lstrip():
            yield "auth.prefix: it begins with a blank"
    if isinstance(auth, OAuth2):
        yield from of_path("auth.token_path", auth.token_path, (), document)
        yield from of_pointers("auth.base_url_pointer", auth.base_url_pointer)
        if auth.base_url_hosts and auth.base_url_pointer is None:
            yield "auth.base_url_hosts: it means nothing without base_url_pointer"
        for host in auth.base_url_hosts:
            if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host):
                yield f"auth.base_url_hosts: {host[:60]!r} is no host's name like 'example.com'"
    yield from of_headers("headers", document.headers, (), document)
    yield from _of_media_type("headers", document.headers, has_json=False)


def _of_submit(document: Document) -> Iterator[str]:
    steps = document.steps
    names = ["submit"] if isinstance(document.submit, Step) else [f"submit[{number}]" for number in range(len(steps))]
    if not steps:
        yield "submit: there is no step"
        return
    known: list[str] = []
    for place, step in zip(names, steps, strict=True):
        body = destination_of(step, is_last=step is steps[-1])
        yield from _of_call(place, step, (*SUBMIT, "secret", *known), document, has_json=body == "json")
        if step.upload is not None and (step.json is not None or step.request == "json"):
            yield f"{place}.upload: a request has one body, and this one has JSON, too"
        if step.form and (step.json is not None or step.request == "json"):
            yield f"{place}.form: a request has one body, and this one has JSON, too"
        if step.request == "json" and not isinstance(step.json, dict | None):
            yield f"{place}.json: it needs to be a table, since the task's request goes into it"
        for name, pointer in step.keep.items():
            if not _MEMBER.fullmatch(name):
                yield f"{place}.keep: {name[:60]!r} cannot be a name"
            yield from of_pointers(f"{place}.keep.{name}", pointer)
        known += [f"step.{name}" for name in step.keep]
    if all(step.when == steps[-1].when for step in steps) and steps[-1].when is not None:
        yield f"{names[-1]}.when: some step needs to be for every task"


def _of_calls(document: Document) -> Iterator[str]:
    yield from _of_call("status", document.status, (*JOB, "secret"), document)
    if document.cancel is not None:
        yield from _of_call("cancel", document.cancel, (*JOB, "secret"), document)
    if document.balance is not None:
        yield from _of_call("balance", document.balance, ("secret",), document)
        yield from of_pointers("balance.credits", document.balance.credits)
    if document.check is not None:
        yield from _of_call("check", document.check, ("secret",), document)
        yield from of_pointers("check.expect", document.check.expect)
    if document.check is None and document.balance is None and document.list is None:
        yield "check: without a balance and a list, it says how the credentials are tested"


def _of_list(document: Document) -> Iterator[str]:
    call, find = document.list, document.find
    if call is None:
        if find is not None:
            yield "find: it needs [list]"
        return
    yield from _of_call("list", call, ("cursor", "secret"), document)
    yield from of_pointers("list.items", call.items)
    yield from _of_paging(call)
    yield from _of_find(document)


def _of_paging(call: ListCall) -> Iterator[str]:
    paging = call.paging
    if isinstance(paging, Cursor):
        yield from of_pointers("list.paging.next", paging.next)
        yield from of_pointers("list.paging.more", paging.more)
        if paging.param is None and "cursor" not in holes([call.json, call.params]):
            yield "list.paging: its cursor goes nowhere: name a param, or use {cursor}"
    elif isinstance(paging, Pages | Offset):
        yield from of_pointers("list.paging.total", paging.total)
    elif isinstance(paging, Link):
        yield from of_pointers("list.paging.next", paging.next)
    elif isinstance(paging, Header) and not TOKEN.fullmatch(paging.name):
        yield f"list.paging.name: {paging.name[:60]!r} is no header"
    if call.active_only and paging is not None:
        yield "list.active_only: it is for a list that is one answer"


def _of_find(document: Document) -> Iterator[str]:
    find = document.find
    if isinstance(find, FindByKey):
        yield from of_pointers("find.pointer", find.pointer)
        if not any(step.upload or "key" in holes([step.params, step.json, step.form]) for step in document.steps):
            yield "find: the submit sends no {key}, and no file whose name has it"
    if isinstance(find, FindByEcho):
        yield from of_pointers("find.pointer", find.pointer)
        if not find.pointer and not find.members and not document.request:
            yield "find.members: it says which members of an item are the request's"
    if isinstance(find, FindByEcho | FindByTime) and not document.job.created:
        yield "find: job.created is needed, since it goes by the time"
    if find is None and document.list is not None and document.list.complete:
        yield "list.complete: it means nothing without [find], by which a job that was made is found"


def _of_files(document: Document) -> Iterator[str]:
    sources = document.sources
    several_kinds = len(sources) > 1 or isinstance(document.files, tuple)
    kinds = [source.kind for source in sources]
    if "result" not in kinds or len(set(kinds)) < len(kinds):
        yield "files: one table has the kind 'result', and no two have the same"
    for number, source in enumerate(sources):
        place = f"files[{number}]" if several_kinds else "files"
        if not _NAME.fullmatch(source.kind):
            yield f"{place}.kind: {source.kind[:60]!r} is not made of small letters, digits and '_'"
        yield from _of_source(place, source, document)


def _of_source(place: str, source: FileSource, document: Document) -> Iterator[str]:
    if source.path is None and source.link is None:
        yield f"{place}: it needs a path, or a link"
    if source.path is not None:
        call = Call(
            path=source.path, method=source.method, params=source.params, headers=source.headers, json=source.json
        )
        yield from _of_call(place, call, (*FILE, "secret"), document)
    elif source.params or source.headers or source.json is not None:
        yield f"{place}: without a path, there is no request for params, headers and json"
    if source.call is not None:
        yield from _of_call(f"{place}.call", source.call, (*JOB, "secret"), document)
    for name in ("items", "id", "size", "part", "link"):
        yield from of_pointers(f"{place}.{name}", getattr(source, name))
    if source.format is not None and not _FORMAT.fullmatch(source.format):
        yield f"{place}.format: {source.format[:SHOWN]!r} is no format like 'csv', in small letters and without '.'"
    if source.items is not None and source.id is None and source.link is None:
        yield f"{place}.items: its items need an id"
    if source.call is not None and source.items is None and source.id is None and source.link is None:
        yield f"{place}.call: it is for an answer with items, an id or a link"
    if source.name is not None:
        found = [hole for hole in holes(source.name) if hole.startswith("/")]
        yield from of_pointers(f"{place}.name", tuple(found))
        yield from of_shown(f"{place}.name", source.name, document)
        yield from of_holes(f"{place}.name", source.name, (*FILE, *found), document)
    if (source.next_header is None) is not (source.next_param is None):
        yield f"{place}: next_header and next_param need each other"
    if source.next_header is not None and (source.items or source.id or source.link or not source.path):
        yield f"{place}.next_header: it is for the one file at a path"


def _of_call(
    place: str, call: Call, allowed: Iterable[str], document: Document, *, has_json: bool = False
) -> Iterator[str]:
    allowed = tuple(allowed)
    secretless = tuple(each for each in allowed if each != "secret")
    yield from of_path(f"{place}.path", call.path, secretless, document)
    yield from of_holes(f"{place}.params", call.params, secretless, document)
    yield from of_headers(f"{place}.headers", call.headers, secretless, document)
    yield from _of_media_type(f"{place}.headers", call.headers, has_json=has_json or call.json is not None)
    yield from of_holes(f"{place}.json", call.json, allowed, document)
    yield from of_holes(f"{place}.form", call.form, allowed, document)
    yield from of_pointers(f"{place}.at", call.at)
    if call.json is not None and call.form:
        yield f"{place}: a request has one body, JSON or a form"


def _of_media_type(place: str, headers: Iterable[str], *, has_json: bool) -> Iterator[str]:
    if not has_json and "content-type" in map(str.lower, headers):
        yield f"{place}: 'Content-Type' can be set for JSON only; a form or a file says its own"
