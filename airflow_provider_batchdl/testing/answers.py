"""Checks of what a vendor makes of answers: junk, missing members, unknown states, other jobs, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing import junk
from airflow_provider_batchdl.testing.bench import Bench, EndlessError, FlowOf, oddities
from airflow_provider_batchdl.testing.driving import Answer, response_of
from airflow_provider_batchdl.vendors.base import ApiRequest
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
        for operation in bench.asked(flow_of):  # no other answer is read
            for changed in _changed(_body(bench.answers[operation])):
                yield from _outcome(bench, name, flow_of, _instead(bench, operation, changed))
    yield from _good(bench)
    yield from _sign_in_page(bench)


def _outcome(bench: Bench, name: str, flow_of: FlowOf, answers: Callable[[ApiRequest], Answer]) -> Iterator[str]:
    try:
        value, _ = bench.run(flow_of, answers)
    except BatchDlError:
        return
    except EndlessError:
        yield f"{name} never ends: it asks on and on, whatever the answers say"
    except Exception as error:  # noqa: BLE001 that is what is looked for
        yield f"{name} raises {type(error).__name__}, which no caller expects: {error}"
    else:
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
        operation = OPERATIONS.get(name)
        if operation is None or operation not in bench.answers:
            continue
        try:
            value, _ = bench.run(flow_of, bench.good)
        except EndlessError:
            yield f"{name} never ends: it asks for the same page again and again"
            continue
        except Exception as error:  # noqa: BLE001 as above
            yield f"{name} refuses the good answer: {type(error).__name__}: {error}"
            continue
        job = next(iter(value), None) if isinstance(value, list) else value
        body = _body(bench.answers[operation])
        if isinstance(job, Job) and body is not None:
            yield from _ids(bench, name, flow_of, operation, job, body)
            yield from _states(bench, name, flow_of, operation, job, body)


def _ids(bench: Bench, name: str, flow_of: FlowOf, operation: str, job: Job, body: Any) -> Iterator[str]:
    found = [path for path in junk.places(body) if _is_id(junk.at(body, path), job.id)]
    for path in found[:1]:
        for odd in junk.NO_IDS:
            try:
                value, _ = bench.run(flow_of, _instead(bench, operation, junk.replaced(body, path, odd)))
            except Exception:  # noqa: BLE001, S112 refused, as it should be
                continue
            jobs = value if isinstance(value, list) else [value]
            wrong = [each for each in jobs if isinstance(each, Job) and not _is_plain(each.id, job.id)]
            for each in wrong[:1]:
                yield (
                    f"{name} makes a job with the id {each.id[:40]!r} of an answer whose {junk.words(path)} is "
                    f"{repr(odd)[:40]}: read ids with vendors.reading.as_id"
                )
                return
        if name in ("get_job", "cancel_job"):
            other = type(junk.at(body, path))(OTHER_ID)
            try:
                value, _ = bench.run(flow_of, _instead(bench, operation, junk.replaced(body, path, other)))
            except BatchDlError:
                continue
            if name == "get_job" and isinstance(value, Job) and value.id == job.id:
                yield f"{name} takes an answer about job {OTHER_ID} for one about {job.id}: take the id from the answer"


def _is_id(value: Any, job_id: str) -> bool:
    return (
        isinstance(value, str | int)
        and not isinstance(value, bool)
        and str(value) != ""
        and (str(value) == job_id or job_id.endswith(f":{value}"))
    )


def _is_plain(job_id: str, good: str) -> bool:
    """True if an id is the one asked for, or may be of another job."""
    return job_id in (good, OTHER_ID)


def _states(bench: Bench, name: str, flow_of: FlowOf, operation: str, job: Job, body: Any) -> Iterator[str]:
    known = {fold(word) for word in bench.kind.states}
    for path in junk.places(body):
        value = junk.at(body, path)
        if not isinstance(value, str) or fold(value) not in known or fold(value) != fold(job.vendor_state):
            continue
        changed = _instead(bench, operation, junk.replaced(body, path, UNKNOWN_STATE))
        try:
            found, _ = bench.run(flow_of, changed)
        except BatchDlError as error:
            if name != "cancel_job":
                yield f"{name} fails over a state that it does not know, which must count as running: {error.message}"
            return
        jobs = found if isinstance(found, list) else [found]
        wrong = next((each for each in jobs if isinstance(each, Job) and each.state.is_terminal), None)
        if wrong is not None and name != "cancel_job":
            yield f"{name} calls a job {wrong.state} whose state it does not know, and which must count as running"
        if name == "list_jobs" and not jobs:
            yield f"{name} drops a job whose state it does not know, and which must count as running"
        return


def _sign_in_page(bench: Bench) -> Iterator[str]:
    """Test must not turn green over a proxy's page."""
    try:
        bench.run(lambda vendor: vendor.check(), lambda request: (200, junk.PAGE_OF_HTML))
    except Exception:  # noqa: BLE001 refused
        return
    yield "check takes a page of HTML for proof that the key is accepted: read a member of the answer"


def check_errors(bench: Bench) -> Iterator[str]:
    """Answers of status 400 and above, with bodies of every kind."""
    vendor = bench.vendor()
    for operation in ("submit", "status", "cancel", "download"):
        request = ApiRequest(operation, "GET", "/x", job_id=bench.job_id)
        for status in STATUSES:
            for body in junk.BODIES:
                try:
                    error: Any = vendor.error(request, response_of((status, body), request))
                except Exception as raised:  # noqa: BLE001 as above
                    yield f"error raises {type(raised).__name__} over a {status}, and must return an error: {raised}"
                    return
                if not isinstance(error, BatchDlError):
                    yield f"error returns {type(error).__name__} for a {status}, and must return a BatchDlError"
                    return


def check_results(bench: Bench) -> Iterator[str]:
    """Questions about jobs and results that need no request."""
    vendor = bench.vendor()
    for state in JobState:
        try:
            done = vendor.ensure_results(bench.job(state))
        except BatchDlError:
            done = None
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
        try:
            answer = ask()
        except BatchDlError:
            continue
        except Exception as error:  # noqa: BLE001 as above
            yield f"{name} raises {type(error).__name__}, which no caller expects: {error}"
            continue
        if name == "result_files" and not isinstance(answer, tuple):
            yield f"{name} returns {type(answer).__name__}, and must return a tuple of ResultFile"
        if name == "state_of" and answer is not JobState.RUNNING:
            yield f"{name} says {answer} of a word that nobody knows, and must say running"
    for members in (each for each in junk.BODIES if isinstance(each, dict)):
        try:
            vendor.check_result(job.id, members)
        except BatchDlError:
            continue
        except Exception as error:  # noqa: BLE001 as above
            yield f"check_result raises {type(error).__name__}, which no caller expects: {error}"
            return
