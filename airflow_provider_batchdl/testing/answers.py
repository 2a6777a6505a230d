"""Checks of what a vendor makes of answers: junk, missing members, unknown states, other jobs, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import httpx

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing import junk
from airflow_provider_batchdl.testing.bench import Bench, EndlessError, FlowOf, attempt, oddities, unexpected
from airflow_provider_batchdl.testing.driving import Answer, response_of
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.flows import jobs_in
from airflow_provider_batchdl.vendors.states import fold

STATUSES = (400, 401, 404, 409, 429, 500, 503, 599)
UNKNOWN_STATE = "a_state_of_tomorrow"
OTHER_ID = "93187401"
URL = "https://store.example/result.csv?X-Signature=0123456789"
OPERATIONS = {"submit": "submit", "get_job": "status", "list_jobs": "list", "cancel_job": "cancel"}


def check_answers(bench: Bench) -> Iterator[str]:
    """Junk, and good answers with something wrong in them, as the answer to each request of each flow."""
    for name, flow_of in bench.flows().items():
        for body in junk.BODIES:
            yield from _outcome(bench, name, flow_of, _always(body))
        asked = dict.fromkeys(request.operation for request in bench.requests(flow_of))
        for operation in [each for each in asked if each in bench.answers]:  # no other answer is read
            for changed in _changed(_body(bench.answers[operation])):
                yield from _outcome(bench, name, flow_of, _instead(bench, operation, changed))
    yield from _good(bench)
    # Test must not turn green over a proxy's page.
    _, refusal = attempt(lambda: bench.run(lambda vendor: vendor.check(), _always(junk.PAGE_OF_HTML)))
    if refusal is None:
        yield "check takes a page of HTML for proof that the key is accepted: read a member of the answer"


def _outcome(bench: Bench, name: str, flow_of: FlowOf, answers: Callable[[ApiRequest], Answer]) -> Iterator[str]:
    value, error = attempt(lambda: bench.run(flow_of, answers))
    if problem := unexpected(name, error):
        yield problem
    elif error is None:
        yield from oddities(name, value)


def _changed(body: Any) -> Iterator[Any]:
    for path in junk.places(body):
        yield junk.without(body, path)
        for value in (*junk.VALUES, URL):
            yield junk.replaced(body, path, value)


def _always(body: Any) -> Callable[[ApiRequest], Answer]:
    return lambda request: (200, body)


def _instead(bench: Bench, operation: str, body: Any) -> Callable[[ApiRequest], Answer]:
    return lambda request: (200, body) if request.operation == operation else bench.good(request)


def _body(answer: Answer) -> Any:
    """The JSON of an answer; None where it has none."""
    if isinstance(answer, httpx.Response):
        try:
            return json.loads(answer.content)
        except ValueError:
            return None
    return None if isinstance(answer, BatchDlError) or isinstance(answer[1], bytes) else answer[1]


def _good(bench: Bench) -> Iterator[str]:
    """Good answers are read; then what changes when id or state do."""
    for name, flow_of in bench.flows().items():
        operation = OPERATIONS.get(name, "")
        if operation not in bench.answers:
            continue
        value, error = attempt(partial(bench.run, flow_of, bench.good))
        if isinstance(error, EndlessError):
            yield f"{name} never ends: it asks for the same page again and again"
        elif error is not None:
            yield f"{name} refuses the good answer: {type(error).__name__}: {error}"
        body = _body(bench.answers[operation])
        if body is not None and (jobs := jobs_in(value)):
            changed = partial(_changed_at, bench, flow_of, operation, body)
            yield from _ids(name, jobs[0], body, changed)
            yield from _states(bench, name, jobs[0], body, changed)


Changed = Callable[[junk.Path, Any], tuple[Any, Exception | None]]


def _changed_at(
    bench: Bench, flow_of: FlowOf, operation: str, body: Any, path: junk.Path, value: Any
) -> tuple[Any, Exception | None]:
    """Run a flow on good answers, one of which has another value at a path: its value, or its error."""
    return attempt(lambda: bench.run(flow_of, _instead(bench, operation, junk.replaced(body, path, value))))


def _ids(name: str, job: Job, body: Any, changed: Changed) -> Iterator[str]:
    path = next((path for path in junk.places(body) if _is_id(junk.at(body, path), job.id)), None)
    if path is None:
        return
    for odd in junk.NO_IDS:
        value, _ = changed(path, odd)
        wrong = next((each.id for each in jobs_in(value) if each.id not in (job.id, OTHER_ID)), None)
        if wrong is not None:
            yield (
                f"{name} makes a job with the id {wrong[:40]!r} of an answer whose {junk.words(path)} is "
                f"{repr(odd)[:40]}: read ids with vendors.reading.as_id"
            )
            return
    value, _ = changed(path, type(junk.at(body, path))(OTHER_ID))
    if name == "get_job" and any(each.id == job.id for each in jobs_in(value)):
        yield f"{name} takes an answer about job {OTHER_ID} for one about {job.id}: take the id from the answer"


def _is_id(value: Any, job_id: str) -> bool:
    is_name = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return is_name and (str(value) == job_id or job_id.endswith(f":{value}"))


def _states(bench: Bench, name: str, job: Job, body: Any, changed: Changed) -> Iterator[str]:
    word = fold(job.vendor_state)
    path = next((path for path in junk.places(body) if fold(str(junk.at(body, path))) == word), None)
    if name == "cancel_job" or path is None or word not in map(fold, bench.kind.states):
        return
    value, error = changed(path, UNKNOWN_STATE)
    if error is not None:
        yield f"{name} fails over a state that it does not know, which must count as running: {error}"
        return
    jobs = jobs_in(value)
    wrong = next((each.state for each in jobs if each.state.is_terminal), None)
    if wrong is not None:
        yield f"{name} calls a job {wrong} whose state it does not know, and which must count as running"
    if name == "list_jobs" and not jobs:
        yield f"{name} drops a job whose state it does not know, and which must count as running"


def check_errors(bench: Bench) -> Iterator[str]:
    """Answers of status 400 and above, with bodies of every kind."""
    vendor = bench.vendor()
    for operation, status, body in product(("submit", "status", "cancel", "download"), STATUSES, junk.BODIES):
        request = ApiRequest(operation, "GET", "/x", job_id=bench.job_id)
        error, raised = attempt(partial(vendor.error, request, response_of((status, body), request)))
        if raised is not None:
            yield f"error raises {type(raised).__name__} over a {status}, and must return an error: {raised}"
            return
        if not isinstance(error, BatchDlError):
            yield f"error returns {type(error).__name__} for a {status}, and must return a BatchDlError"
            return


def check_results(bench: Bench) -> Iterator[str]:
    """Questions about jobs and results that need no request."""
    vendor = bench.vendor()
    for state in JobState:
        done, _ = attempt(partial(vendor.ensure_results, bench.job(state)))
        if (state is JobState.SUCCEEDED) is not (done is True) and state is not JobState.CANCELLED:
            yield f"ensure_results says {done} of a job that is {state}"
    job = bench.job()
    questions: dict[str, Callable[[], Any]] = {
        "result_files": lambda: vendor.result_files(job),
        "expected_format": lambda: vendor.expected_format(job, ResultFile(job.id, "a name\u0000.CSV")),
        "state_of": lambda: vendor.state_of(UNKNOWN_STATE),
        "rate_limit_scope": lambda: vendor.rate_limit_scope,
        "account_name": lambda: vendor.account_name,
    }
    for name, ask in questions.items():
        answer, error = attempt(ask)
        if problem := unexpected(name, error):
            yield problem
        if error is None and name == "result_files" and not isinstance(answer, tuple):
            yield f"{name} returns {type(answer).__name__}, and must return a tuple of ResultFile"
        if error is None and name == "state_of" and answer is not JobState.RUNNING:
            yield f"{name} says {answer} of a word that nobody knows, and must say running"
    for members in (each for each in junk.BODIES if isinstance(each, dict)):
        _, error = attempt(partial(vendor.check_result, job.id, members))
        if problem := unexpected("check_result", error):
            yield problem
            return
