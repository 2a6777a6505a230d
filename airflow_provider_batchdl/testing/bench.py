"""The vendor under test, its flows, and how one of them ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_batchdl.exceptions import UnsupportedOperationError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.testing.driving import Answer, drive
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, JobPage, Submission, Vendor

# Requests of one flow, of which no test needs more.
MOST_REQUESTS = 60

FlowOf = Callable[[Vendor], Flow[Any]]


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
        """True if the vendor's API has the operation."""
        try:
            flow = flow_of(self.vendor())
            next(flow, None)
            flow.close()
        except UnsupportedOperationError:
            return False
        except Exception:  # noqa: BLE001 the checks will say so
            return True
        return True

    def run(self, flow_of: FlowOf, answers: Callable[[ApiRequest], Answer]) -> tuple[Any, list[ApiRequest]]:
        """A flow's value and requests; raises what the clients would, or ``EndlessError``."""
        vendor = self.vendor()
        asked: list[ApiRequest] = []

        def bounded(request: ApiRequest) -> Answer:
            asked.append(request)
            if len(asked) > MOST_REQUESTS:
                raise EndlessError
            return answers(request)

        value, _ = drive(flow_of(vendor), bounded, vendor=vendor)
        return value, asked

    def asked(self, flow_of: FlowOf) -> list[str]:
        """The operations that a flow asks for when all answers are good, of those that there are answers of."""
        found: dict[str, None] = {}

        def note(request: ApiRequest) -> Answer:
            found[request.operation] = None
            return self.good(request)

        with suppress(Exception):  # the checks will say so
            self.run(flow_of, note)
        return [each for each in found if each in self.answers]

    def good(self, request: ApiRequest) -> Answer:
        """The good answer to a request; an empty object where none was given."""
        return self.answers.get(request.operation, (200, {}))


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
        return
    for file in job.files:
        if file.id.lower().startswith(("http://", "https://")):
            yield (
                f"{name} makes a result file whose id is a URL: ids go into XCom, events and logs, and a signed URL is "
                "a secret that expires. Leave the URL to locate"
            )


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
