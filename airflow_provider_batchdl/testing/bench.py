"""The vendor under test, its flows, and how one of them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_batchdl.exceptions import BatchDlError, UnsupportedOperationError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing.driving import Answer, drive
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, JobPage, Submission, Vendor

# Requests of one flow, of which no test needs more.
MOST_REQUESTS = 60

FlowOf = Callable[[Vendor], Flow[Any]]
T = TypeVar("T")


class EndlessError(Exception):
    """A flow asks for more and more."""


@dataclass(frozen=True)
class Bench:
    """A vendor's class and what to try it with.

    Args:
        kind: the class.
        account: the account.
        submission: a submit that it accepts.
        job_id: an id as its jobs have it.
        answers: good answers, by the operation of the request.
    """

    kind: type[Vendor]
    account: Account
    submission: Submission
    job_id: str
    answers: Mapping[str, Answer] = field(default_factory=dict)

    def vendor(self) -> Vendor:
        """A new vendor, which has seen nothing yet."""
        return self.kind(self.account)

    def job(self, state: JobState = JobState.SUCCEEDED, job_id: str | None = None) -> Job:
        """A job in some state."""
        words = [word for word, meant in self.kind.states.items() if meant is state]
        return Job(job_id or self.job_id, state, words[0] if words else state.value)

    def flows(self) -> dict[str, FlowOf]:
        """The flows of this vendor, by the name of the method."""
        flows: dict[str, FlowOf] = {
            "submit": lambda vendor: vendor.submit(self.submission),
            "get_job": lambda vendor: vendor.get_job(self.job_id),
            "list_jobs": lambda vendor: vendor.list_jobs(),
            "list_page": lambda vendor: vendor.list_page(),
            "cancel_job": lambda vendor: vendor.ensure_cancelled(self.job_id),
            "get_balance": lambda vendor: vendor.get_balance(),
            "check": lambda vendor: vendor.check(),
            "candidates": lambda vendor: vendor.candidates(self.submission, 0.0),
        }
        return {name: flow for name, flow in flows.items() if self._has(flow)}

    def _has(self, flow_of: FlowOf) -> bool:
        """True if the vendor's API has the operation; other errors are for the checks to report."""
        _, error = attempt(lambda: first_request(lambda: flow_of(self.vendor())))
        return not isinstance(error, UnsupportedOperationError)

    def run(self, flow_of: FlowOf, answers: Callable[[ApiRequest], Answer]) -> Any:
        """A flow's value; raises what the clients would, or ``EndlessError``."""
        left = MOST_REQUESTS

        def bounded(request: ApiRequest) -> Answer:
            nonlocal left
            left -= 1
            if left < 0:
                raise EndlessError
            return answers(request)

        vendor = self.vendor()
        value, _ = drive(flow_of(vendor), bounded, vendor=vendor)
        return value

    def requests(self, flow_of: FlowOf) -> list[ApiRequest]:
        """The requests that a flow makes when all answers are good."""
        made: list[ApiRequest] = []

        def note(request: ApiRequest) -> Answer:
            made.append(request)
            return self.good(request)

        with suppress(Exception):  # the checks will say so
            self.run(flow_of, note)
        return made

    def good(self, request: ApiRequest) -> Answer:
        """The good answer to a request; an empty object where none was given."""
        return self.answers.get(request.operation, (200, {}))


def attempt(ask: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """The value that ``ask`` returns, or the error that it raises."""
    try:
        return ask(), None
    except Exception as error:  # noqa: BLE001 that is what is looked for
        return None, error


def unexpected(name: str, error: Exception | None) -> str | None:
    """An error that no caller of a flow or method expects, in words; None for the others."""
    if isinstance(error, EndlessError):
        return f"{name} never ends: it asks on and on, whatever the answers say"
    if error is None or isinstance(error, BatchDlError):
        return None
    return f"{name} raises {type(error).__name__}, which no caller expects: {error}"


def first_request(flow_of: Callable[[], Flow[Any]]) -> ApiRequest | None:
    """The first request of a flow, or the request that it ends with; None where it makes none.

    Raises:
        Exception: whatever the flow raises.
    """
    flow = flow_of()
    try:
        return next(flow)
    except StopIteration as done:
        return done.value if isinstance(done.value, ApiRequest) else None
    finally:
        flow.close()


def oddities(name: str, value: object) -> Iterator[str]:
    """Mistakes in the value that a flow ended with, in words."""
    if name in ("submit", "get_job", "cancel_job"):
        yield from _of_job(name, value)
    elif name == "list_jobs":
        if not isinstance(value, list):
            yield f"{name} ends with {_kind(value)}, and must end with a list of Job"
        else:
            for each in value:
                yield from _of_job(name, each)
    elif name == "list_page" and not isinstance(value, JobPage):
        yield f"{name} ends with {_kind(value)}, and must end with a JobPage"
    elif name == "get_balance" and (isinstance(value, bool) or not isinstance(value, int | None)):
        yield f"{name} ends with {_kind(value)}, and must end with a whole number or None"
    elif name == "check" and (not isinstance(value, str) or not value.strip()):
        yield f"{name} ends with {_kind(value)}, and must end with a line for the person who pressed Test"
    elif name == "candidates":
        for each in value if isinstance(value, list | tuple) else ():
            if each is not None:
                yield from _of_job(name, each)


def _of_job(name: str, job: Any) -> Iterator[str]:
    if not isinstance(job, Job):
        yield f"{name} ends with {_kind(job)}, and must end with a Job"
        return
    state: object = job.state
    if not isinstance(state, JobState):
        yield f"{name} makes a job whose state is {_kind(state)}, and must be a JobState"
    files: Any = job.files
    if not isinstance(files, tuple) or not all(isinstance(each, ResultFile) for each in files):
        yield f"{name} makes a job whose files are no tuple of ResultFile"


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
