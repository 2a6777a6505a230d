"""A document in words: what is sent for each operation, and where in the answers things are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_batchdl.vendors.declared.answers import BY_STATUS
from airflow_provider_batchdl.vendors.declared.calls import (
    Call,
    Cursor,
    FileSource,
    FindByEcho,
    FindByKey,
    FindByTime,
    Header,
    Link,
    Offset,
    Pages,
    Pointers,
)
from airflow_provider_batchdl.vendors.declared.document import Basic, Bearer, Document, HeaderKey, OAuth2, QueryKey
from airflow_provider_batchdl.vendors.declared.requests import destination_of
from airflow_provider_batchdl.vendors.pointers import several
from airflow_provider_batchdl.vendors.states import fold

Row = tuple[str, str]

_CREDENTIALS: Mapping[type, str] = {
    Bearer: "the password as a Bearer token",
    HeaderKey: "the password in the header {0.name}",
    QueryKey: "the password in the query, as {0.name}",
    Basic: "login and password by HTTP Basic",
    OAuth2: "a token for login and password from POST {1}, in the header {0.name}",
}
# The second is where the pointer `next` leads.
_PAGES: Mapping[type, str] = {
    type(None): "all on one page",
    Cursor: "next page by the cursor at {1}",
    Pages: "pages by their number as {0.param}",
    Offset: "pages by the jobs before them as {0.param}",
    Link: "next page by the link in {1}",
    Header: "next page by the header {0.name} as {0.param}",
}


def explained(document: Document) -> Iterator[Row]:
    """Rows of a document's explanation: the operation, and what happens for it."""
    yield "vendor", f"{document.label} ({document.name}) at {document.base_url or 'the base URL of each connection'}"
    yield "credentials", _credentials(document)
    yield from _submit(document)
    status, job = document.status, document.job
    known = "" if job.id_header else f"id from {_at(job.id, status.at)}, "
    by_status = "the HTTP status or " if any(BY_STATUS.fullmatch(fold(word)) for word in document.states) else ""
    yield "status", f"{_call(status)}, {known}state from {by_status}{_at(job.state, status.at)}"
    yield "states", _states(document)
    yield "list", _list(document)
    yield "lost submit", _find(document)
    yield "cancel", "the API cannot cancel" if document.cancel is None else _call(document.cancel)
    for source in document.sources:
        yield "results" if source.kind == "result" else f"files: {source.kind}", _files(source)
    if document.balance is not None:
        yield "balance", f"{_call(document.balance)}, credits from {_at(document.balance.credits)}"
    other = "the balance" if document.balance is not None else "the first page of the list"
    yield "check", other if document.check is None else _call(document.check)
    yield from _errors(document)
    limits = " and ".join(document.rate_limits) or "no limit"
    yield "pace", f"a poll of each job every {document.poll_interval:g} s, within {limits} (requests/seconds)"
    yield "tried", "against the service itself" if document.tried else "not against the service itself"


def _call(call: Call | FileSource) -> str:
    words = f"{call.method} {call.path}"
    if call.params:
        words += f"?{'&'.join(f'{name}={value}' for name, value in call.params.items())}"
    if call.form:
        words += f", a form of {', '.join(call.form)}"
    return words if call.json is None else f"{words}, JSON {call.json}"


def _at(pointers: Pointers, base: str = "") -> str:
    return " or ".join(f"{base}{each}" or "the whole answer" for each in several(pointers))


def _credentials(document: Document) -> str:
    auth = document.auth
    where = isinstance(auth, OAuth2) and (auth.token_url or auth.token_path)
    words = _CREDENTIALS[type(auth)].format(auth, where or "the connection's token_url")
    if isinstance(auth, OAuth2) and auth.client_auth == "basic":
        words = words.replace("a token for login and password", "a token for login and password by HTTP Basic")
    if isinstance(auth, OAuth2) and auth.base_url_pointer:
        words += f", base URL from {auth.base_url_pointer}"
    return f"{words}; headers {', '.join(document.headers)}" if document.headers else words


def _submit(document: Document) -> Iterator[Row]:
    steps = document.steps
    for number, step in enumerate(steps, 1):
        is_last = number == len(steps)
        words = _call(step)
        if step.upload is not None:
            words += f", the task's file as {step.upload or 'the body'}"
        goes_to = destination_of(step, is_last=is_last)
        if goes_to != "none":
            words += f", the task's request as {'JSON' if goes_to == 'json' else 'its ' + goes_to}"
        for name, pointer in step.keep.items():
            words += f", {name} from {pointer}"
        if is_last:
            header = document.job.id_header
            words += f", id from {f'the header {header}' if header else _at(document.job.id, step.at)}"
        if step.when is not None:
            words += " (only with a file)" if step.when == "file" else " (only without a file)"
        yield "submit" if len(steps) == 1 else f"submit {number}", words


def _states(document: Document) -> str:
    by_state: dict[str, list[str]] = {}
    for word, state in document.states.items():
        by_state.setdefault(state, []).append(word)
    words = "; ".join(f"{state}: {', '.join(names)}" for state, names in by_state.items())
    if document.job.failed:
        words += f"; failed, too, with {_at(document.job.failed)}"
    return f"{words}; partial results: {', '.join(document.partial)}" if document.partial else words


def _list(document: Document) -> str:
    if document.list is None:
        return "none"
    paging = document.list.paging
    following = _at(paging.next) if isinstance(paging, Cursor | Link) and paging.next else "the Link header"
    words = _PAGES[type(paging)].format(paging, following)
    if isinstance(paging, Cursor) and paging.param:
        words += f" as {paging.param}{' alone' if paging.alone else ''}"
    return f"{_call(document.list)}, jobs from {document.list.items}, {words}"


def _find(document: Document) -> str:
    find = document.find
    if isinstance(find, FindByKey):
        return f"found in the list by the key {'within' if find.contains else 'at'} {_at(find.pointer)}"
    if isinstance(find, FindByEcho):
        return f"found in the list by its request at {find.pointer or 'the item itself'} and its time"
    if isinstance(find, FindByTime):
        return "each job of the list made since may be it: the task fails and says where to check"
    return "cannot be found: the task fails and says where to check"


def _files(source: FileSource) -> str:
    words = ""
    if source.call is not None:
        words = f"{_call(source.call)}, then "
    if source.items is not None:
        words += f"for each of {source.items}, "
    if source.path is not None:
        words += _call(source)
    if source.id is not None:
        words += f", id of the file from {_at(source.id)}"
    if source.link is not None:
        where = "its answer" if source.path or source.call else "the job's answer"
        words += f"{', ' if source.path else ''}the link at {_at(source.link)} of {where}, without credentials"
    if source.link_header is not None:
        words += f"the link in the header {source.link_header} of the job's answer, without credentials"
    if source.next_header is not None:
        words += f", next page by the header {source.next_header} as {source.next_param}"
    return words


def _errors(document: Document) -> Iterator[Row]:
    errors = document.errors
    within = [*(_at(each) for each in errors.within), *(f"{each} is false" for each in errors.if_false)]
    if within:
        yield "errors", f"in an answer of status 200: {', '.join(within)}"
    for rule in errors.rules:
        conditions = [
            f"{name} {' or '.join(map(str, values))}"
            for name, values in (
                ("status", rule.status),
                ("code", rule.codes),
                ("words", rule.words),
                ("operation", rule.operations),
                ("has", several(rule.has)),
            )
            if values
        ]
        yield "errors", f"{rule.kind}: {', '.join(conditions) or 'always'}"
