"""Problems of a document that has the right shape: holes, paths, and members that need or rule out another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from airflow_provider_batchdl.vendors.declared.answers import BY_STATUS
from airflow_provider_batchdl.vendors.declared.calls import (
    Call,
    Cursor,
    FileSource,
    FindByEcho,
    FindByKey,
    FindByTime,
    HeaderName,
    Pointer,
    QueryName,
    Step,
)
from airflow_provider_batchdl.vendors.declared.document import MEMBERS, Document, HeaderKey, OAuth2
from airflow_provider_batchdl.vendors.declared.places import (
    SHOWN,
    of_form,
    of_headers,
    of_holes,
    of_keys,
    of_path,
    of_rules,
    of_shown,
    of_token,
    of_url,
)
from airflow_provider_batchdl.vendors.declared.requests import destination_of, holes_of, unsent
from airflow_provider_batchdl.vendors.declared.templates import holes, without_holes
from airflow_provider_batchdl.vendors.extras import COMMON
from airflow_provider_batchdl.vendors.files import Suffix
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url
from airflow_provider_batchdl.vendors.pointers import several
from airflow_provider_batchdl.vendors.requests import CLIENT_HEADERS, RateLimit
from airflow_provider_batchdl.vendors.states import fold, problem_of_words
from airflow_provider_batchdl.vendors.words import problem_of

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_MEMBER = re.compile(r"[A-Za-z0-9_-]{1,50}")
# The holes that requests about a job or a file may have.
_JOB, _FILE = ("job.id", "secret"), ("job.id", "file.id", "secret")


def problems_of(document: Document) -> Iterator[str]:
    """The problems of a document, each a sentence without its end that begins with the place."""
    odd = list(_of_places(document))
    yield from odd or _of_unsaid(document)  # a misspelt hole is one problem, not two


def _of_places(document: Document) -> Iterator[str]:
    parts = (_of_names, _of_words, _of_extra, _of_auth, _of_submit, _of_calls, _of_list, _of_find, _of_files)
    yield from chain.from_iterable(part(document) for part in parts)
    yield from of_rules(document.errors)
    yield from of_keys("file.types", document.file.types if document.file else (), Suffix)
    for name, member in (document.request or {}).items():
        if (member.values or member.reported) and member.kind not in ("any", "text"):
            yield f"request.{name[:SHOWN]}.values: they are texts, and its kind is {member.kind!r}"
        if member.most is not None and member.most < member.least:
            yield f"request.{name[:SHOWN]}.most: it is less than its least"


def _of_names(document: Document) -> Iterator[str]:
    if not _NAME.fullmatch(document.name):
        yield f"name: {document.name[:SHOWN]!r} is not made of small letters, digits and '_'"
    if not document.label.strip() or not document.label.isprintable() or len(document.label) > SHOWN:
        yield f"label: it needs to be a name for people, of at most {SHOWN} characters"
    yield from of_url("docs_url", document.docs_url)
    if document.base_url is not None:
        try:
            if urlsplit(base_url(document.base_url, "https:")).scheme != "https":
                yield "base_url: it needs to be a URL with https"
            if "{" in document.base_url:
                yield "base_url: it has no holes; a path may have them"
        except NoBaseUrlError as error:
            yield f"base_url: it {error}"
    if document.job_url is not None:
        yield from of_holes("job_url", document.job_url, ("job.id",), document)
        yield from of_shown("job_url", document.job_url, document)
        whole = without_holes(document.job_url, "!")
        if "{" in whole or next(of_url("job_url", whole), None):
            yield "job_url: it needs to be a URL with https, whose host has no hole"


def _of_words(document: Document) -> Iterator[str]:
    for name, pointers in (("id", document.job.id), ("state", document.job.state)):
        if not any(several(pointers)):
            yield f"job.{name}: it needs a pointer like '/{name}'"
    yield from of_keys("reset_headers", document.reset_headers, HeaderName)
    meant = document.states.values()
    if "succeeded" not in meant or not ("failed" in meant or document.job.failed):
        yield (
            "states: it needs a word for 'succeeded' and one for 'failed', or job.failed, or a wait never ends; if no "
            "job of this API fails, write failed = 'failed'"
        )
    if problem := problem_of_words(document.states):
        yield f"states: it has {problem}"
    known = {fold(word) for word in document.states}
    for word in document.states:
        if re.fullmatch("http[0-9]*", fold(word)) and not BY_STATUS.fullmatch(fold(word)):
            yield f"states: {word[:SHOWN]!r} is no state: write 'HTTP 202', with a status of 2xx, 3xx, or 4xx of a job"
    for place, words in (("partial", document.partial), ("job.state_missing", several(document.job.state_missing))):
        for word in (each for each in words if fold(each) not in known):
            yield f"{place}: {word[:SHOWN]!r} is none of the words of [states]"
    for rate in document.rate_limits:
        try:
            RateLimit.of(rate)
        except ValueError:
            yield f"rate_limits: {rate[:SHOWN]!r} is not requests/seconds, like '60/60'"
    if document.zone != "UTC" and document.zone not in available_timezones():
        yield f"zone: {document.zone[:SHOWN]!r} is no time zone"


def _of_extra(document: Document) -> Iterator[str]:
    for name, member in document.extra.items():
        if not _MEMBER.fullmatch(name) or name in (*COMMON, *MEMBERS):
            yield f"extra.{name[:SHOWN]}: it cannot have that name"
        if member.values and member.default is not None and member.default not in member.values:
            yield f"extra.{name}: its default is none of its values"
        if member.default and (problem := problem_of(member.default, is_secret=False)):
            yield f"extra.{name}: its default {problem}"


def _of_auth(document: Document) -> Iterator[str]:
    auth = document.auth
    if isinstance(auth, HeaderKey | OAuth2):
        if auth.name.lower() in CLIENT_HEADERS - {"authorization"}:
            yield f"auth.name: {auth.name!r} cannot be the header of a key"
        if not auth.prefix.isascii() or not auth.prefix.isprintable():
            yield "auth.prefix: it is not ASCII"
        if auth.prefix != auth.prefix.lstrip():
            yield "auth.prefix: it begins with a blank"
    if isinstance(auth, OAuth2):
        yield from of_token(auth, document)
    yield from of_headers("headers", document.headers, (), document, has_json=False)


def _of_submit(document: Document) -> Iterator[str]:
    steps = document.steps
    names = ["submit"] if isinstance(document.submit, Step) else [f"submit[{number}]" for number in range(len(steps))]
    if not steps:
        yield "submit: there is no step"
        return
    known: list[str] = []
    for place, step in zip(names, steps, strict=True):
        has_json = step.json is not None or step.request == "json"
        body = destination_of(step, is_last=step is steps[-1])
        yield from _of_call(place, step, ("key", "request", "secret", *known), document, has_json=body == "json")
        if step.upload is not None and has_json:
            yield f"{place}.upload: a request has one body, and this one has JSON, too"
        if step.form and (has_json or step.upload == ""):
            yield f"{place}.form: a request has one body, and this one has {'JSON' if has_json else 'the file'}, too"
        if body == "json" and not isinstance(step.json, dict | None):
            yield f"{place}.json: it needs to be a table, since the task's request goes into it"
        for name in step.keep:
            if not _MEMBER.fullmatch(name):
                yield f"{place}.keep: {name[:SHOWN]!r} cannot be a name"
        known += [f"step.{name}" for name in step.keep]
    if all(step.when == steps[-1].when for step in steps) and steps[-1].when is not None:
        yield f"{names[-1]}.when: some step needs to be for every task"


def _of_calls(document: Document) -> Iterator[str]:
    yield from _of_call("status", document.status, _JOB, document)
    for place, call, allowed in (
        ("cancel", document.cancel, _JOB),
        ("balance", document.balance, ("secret",)),
        ("check", document.check, ("secret",)),
        ("list", document.list, ("cursor", "secret")),
    ):
        if call is not None:
            yield from _of_call(place, call, allowed, document)
    if document.check is None and document.balance is None and document.list is None:
        yield "check: without a balance and a list, it says how the credentials are tested"


def _of_list(document: Document) -> Iterator[str]:
    if (call := document.list) is None:
        return
    paging = call.paging
    if isinstance(paging, Cursor) and paging.param is None and "cursor" not in holes([call.json, call.params]):
        yield "list.paging: its cursor goes nowhere: name a param, or use {cursor}"
    if call.active_only and paging is not None:
        yield "list.active_only: it is for a list that is one answer"
    if call.complete and document.find is None:
        yield "list.complete: it means nothing without [find], by which a job that was made is found"


def _of_find(document: Document) -> Iterator[str]:
    find = document.find
    if find is not None and document.list is None:
        yield "find: it needs [list]"
        return
    is_sent = any(step.upload or "key" in holes([step.params, step.json, step.form]) for step in document.steps)
    if isinstance(find, FindByKey) and not is_sent:
        yield "find: the submit sends no {key}, and no file whose name has it"
    if isinstance(find, FindByEcho) and not find.pointer and not find.members and not document.request:
        yield "find.members: it says which members of an item are the request's"
    if isinstance(find, FindByEcho | FindByTime) and not document.job.created:
        yield "find: job.created is needed, since it goes by the time"


def _places_of_files(document: Document) -> Iterator[tuple[str, FileSource]]:
    for number, source in enumerate(document.sources):
        yield "files" if isinstance(document.files, FileSource) else f"files[{number}]", source


def _of_files(document: Document) -> Iterator[str]:
    kinds = [source.kind for source in document.sources]
    if "result" not in kinds or len(set(kinds)) < len(kinds):
        yield "files: one table has the kind 'result', and no two have the same"
    for place, source in _places_of_files(document):
        if not _NAME.fullmatch(source.kind):
            yield f"{place}.kind: {source.kind[:SHOWN]!r} is not made of small letters, digits and '_'"
        yield from _of_source(place, source, document)


def _of_source(place: str, source: FileSource, document: Document) -> Iterator[str]:
    others = (source.path, source.call, source.items, source.id, source.link)
    if source.path is None and source.link is None and source.link_header is None:
        yield f"{place}: it needs a path, or a link"
    if source.link_header is not None and any(each is not None for each in others):
        yield f"{place}.link_header: it is of the answer to [status], and needs no path, call, items, id and link"
    if source.path is not None:
        yield from _of_call(place, source, _FILE, document)
    elif source.params or source.headers or source.json is not None or source.form:
        yield f"{place}: without a path, there is no request for params, headers, json and form"
    if source.call is not None:
        yield from _of_call(f"{place}.call", source.call, _JOB, document)
    if source.items is not None and source.id is None and source.link is None:
        yield f"{place}.items: its items need an id"
    if source.call is not None and source.items is None and source.id is None and source.link is None:
        yield f"{place}.call: it is for an answer with items, an id or a link"
    if source.name is not None:
        pointers = [hole for hole in holes(source.name) if hole.startswith("/")]
        yield from of_keys(f"{place}.name", pointers, Pointer)
        yield from of_shown(f"{place}.name", source.name, document)
        yield from of_holes(f"{place}.name", source.name, ("job.id", "file.id", *pointers), document)
    if (source.next_header is None) is not (source.next_param is None):
        yield f"{place}: next_header and next_param need each other"
    if source.next_header is not None and (source.items or source.id or source.link or not source.path):
        yield f"{place}.next_header: it is for the one file at a path"


def _of_call(
    place: str, call: Call | FileSource, allowed: Iterable[str], document: Document, *, has_json: bool = False
) -> Iterator[str]:
    """Problems of a request; the holes that it may have include ``secret`` for its body alone."""
    secretless = tuple(each for each in allowed if each != "secret")
    yield from of_path(f"{place}.path", call.path or "", secretless, document)
    yield from of_keys(f"{place}.params", call.params, QueryName)
    yield from of_holes(f"{place}.params", call.params, secretless, document)
    has_json = has_json or call.json is not None
    yield from of_headers(f"{place}.headers", call.headers, secretless, document, has_json=has_json)
    yield from of_holes(f"{place}.json", call.json, tuple(allowed), document)
    try:
        json.dumps(call.json, allow_nan=False)
    except (TypeError, ValueError):
        yield f"{place}.json: it has a date, a time, nan or inf, and JSON has none: write it as text"
    yield from of_form(f"{place}.form", call.form, tuple(allowed), document)
    if call.json is not None and call.form:
        yield f"{place}: a request has one body, JSON or a form"


def _of_unsaid(document: Document) -> Iterator[str]:
    """Problems of requests that do not say what they are about, and of what a task gives and no request sends."""
    for place, call in (("status", document.status), ("cancel", document.cancel)):
        if call is not None and "job.id" not in holes_of(call):
            yield f"{place}: it needs {{job.id}}, to say which job it is about"
    for place, source in _places_of_files(document):
        found = holes_of(source)
        if source.call is not None and "job.id" not in holes_of(source.call):
            yield f"{place}.call: it needs {{job.id}}, to say which job's files it is about"
        if source.path is not None and not found & {"job.id", "file.id"}:
            yield f"{place}: it needs {{job.id}} or {{file.id}}, to say which file it is about"
        elif source.path and source.items is not None and source.link is None and "file.id" not in found:
            yield f"{place}: it needs {{file.id}}, or the request is the same for all items"
    members = document.request
    named = {hole.partition(".")[2] for step in document.steps for hole in holes_of(step) if "request." in hole}
    for name in sorted(named - set(members)) if members is not None else ():
        yield f"submit: {{request.{name}}} is no member that [request] names"
    for name in unsent(document.steps, members or {}):
        yield f"request.{name}: no step of [submit] sends it"
    if document.file is not None and all(step.upload is None for step in document.steps):
        yield "file: no step of [submit] uploads it"
