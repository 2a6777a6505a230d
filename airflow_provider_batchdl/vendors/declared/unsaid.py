"""Problems of requests that do not say what they are about, and of what a task gives and no request sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_batchdl.vendors.declared.calls import Call, FileSource, Step
from airflow_provider_batchdl.vendors.declared.document import Document
from airflow_provider_batchdl.vendors.declared.requests import destination_of
from airflow_provider_batchdl.vendors.declared.templates import holes


def of_unsaid(document: Document) -> Iterator[str]:
    """Problems of a document's requests, each a sentence without its end that begins with the place."""
    # An answer about another job than was asked for is refused, unless it need not have an id.
    calls = {"status": document.status if document.job.id_optional else None, "cancel": document.cancel}
    for place, call in calls.items():
        if call is not None and "job.id" not in _holes_of(call):
            yield f"{place}: it needs {{job.id}}, to say which job it is about"
    for number, source in enumerate(document.sources):
        yield from _of_source("files" if isinstance(document.files, FileSource) else f"files[{number}]", source)
    yield from _of_inputs(document)


def _of_source(place: str, source: FileSource) -> Iterator[str]:
    if source.call is not None and "job.id" not in _holes_of(source.call):
        yield f"{place}.call: it needs {{job.id}}, to say which job's files it is about"
    if source.path is None:
        return
    found = _holes_of(source)
    if not found & {"job.id", "file.id"}:
        yield f"{place}: it needs {{job.id}} or {{file.id}}, to say which file it is about"
    elif source.items is not None and source.link is None and "file.id" not in found:
        yield f"{place}: it needs {{file.id}}, or the request is the same for all items"


def _of_inputs(document: Document) -> Iterator[str]:
    members = document.request
    named = {hole.partition(".")[2] for step in document.steps for hole in _holes_of(step) if "request." in hole}
    for name in sorted(named - set(members)) if members is not None else ():
        yield f"submit: {{request.{name}}} is no member that [request] names"
    for name in unsent(document.steps, members or {}):
        yield f"request.{name}: no step of [submit] sends it"
    if document.file is not None and not any(step.upload for step in document.steps):
        yield "file: no step of [submit] uploads it"


def unsent(steps: Sequence[Step], request: Mapping[str, Any]) -> list[str]:
    """The members of a task's request that none of these steps sends.

    Args:
        steps: those of a document, or those that a task takes of them.
        request: the task's request.
    """
    taken = {hole for step in steps for hole in _holes_of(step)}
    if "request" in taken or any(destination_of(step, is_last=step is steps[-1]) != "none" for step in steps):
        return []
    return [name for name, value in request.items() if value is not None and f"request.{name}" not in taken]


def _holes_of(call: Call | FileSource) -> set[str]:
    form = call.form if isinstance(call, Call) else {}
    return set(holes([call.path, call.params, call.headers, call.json, form]))
