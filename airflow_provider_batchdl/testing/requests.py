"""Checks of the requests that a vendor makes: ids in paths, submits that may not be repeated, secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from logging.handlers import BufferingHandler
from typing import Any
from urllib.parse import quote, unquote

import httpx

from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError, VendorUnavailableError
from airflow_provider_batchdl.jobs import ResultFile
from airflow_provider_batchdl.testing.bench import Bench, EndlessError, attempt, first_request
from airflow_provider_batchdl.testing.driving import Answer
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.extras import is_secret

OPERATIONS = ("submit", "status", "list", "cancel", "download", "balance", "check")
ODD_IDS = (
    "..", ".", "../x", "a/b", "a?b=1", "a#b", "a b", "a%2Fb", "a;b", "a\\b", "a&b", "@other.example",
    "//other.example/x", ":8080", "ключ", "%2e%2e",
)  # fmt: skip


def check_ids(bench: Bench) -> Iterator[str]:
    """Ids that are more than letters: each stays one segment of the path, or is refused."""
    flows: dict[str, Callable[[Vendor, str], Flow[Any]]] = {
        "get_job": lambda vendor, job_id: vendor.get_job(job_id),
        "cancel_job": lambda vendor, job_id: vendor.cancel_job(job_id),
        "result_request": lambda vendor, job_id: vendor.locate(bench.job(job_id=job_id), ResultFile(job_id)),
        "a result file's id": lambda vendor, file_id: vendor.locate(bench.job(), ResultFile(file_id)),
    }
    if "cancel_job" not in bench.flows():
        del flows["cancel_job"]
    for name, flow_of in flows.items():
        request_of = partial(_request_of, bench, flow_of)
        plain, error = request_of(bench.job_id)
        if error is not None:
            yield f"{name} refuses {bench.job_id!r}, the id given here: {type(error).__name__}: {error}"
        if plain is None:
            continue
        if name != "a result file's id" and plain.job_id is None:
            yield f"{name} makes a request without job_id, so an answer about another job goes unnoticed"
        for odd in ODD_IDS:
            request, error = request_of(odd)
            if error is not None and not isinstance(error, BatchDlError):
                yield f"{name} raises {type(error).__name__} over the id {odd!r}, and must raise InvalidRequestError"
                break
            if request is not None and (problem := _leaves(plain, request, bench.job_id, odd)):
                yield f"{name} puts the id {odd!r} into its path as it is, which {problem}: use path_segment"
                break


def _request_of(
    bench: Bench, flow_of: Callable[[Vendor, str], Flow[Any]], some_id: str
) -> tuple[ApiRequest | None, Exception | None]:
    return attempt(lambda: first_request(lambda: flow_of(bench.vendor(), some_id)))


def _leaves(plain: ApiRequest, request: ApiRequest, plain_id: str, odd: str) -> str | None:
    """The difference in shape from the request of a plain id, in words; None where there is none."""
    if quote(plain_id, safe="") not in plain.path or request.path == plain.path:
        return None
    base = "https://vendor.example/base"
    try:
        there, here = httpx.URL(base + plain.path), httpx.URL(base + request.path)
    except httpx.InvalidURL:
        return "is no URL"
    if here.host != there.host or here.port != there.port:
        return f"leads to the host {here.host!r}"
    segments, others = (url.raw_path.partition(b"?")[0].decode().split("/") for url in (there, here))
    is_same = len(segments) == len(others) and all(
        segment == other or unquote(segment).replace(plain_id, odd) == unquote(other)
        for segment, other in zip(segments, others, strict=True)
    )
    if not is_same or here.fragment or here.query != there.query:
        return f"leads to {here.raw_path.decode()!r}"
    return None


def check_submit(bench: Bench) -> Iterator[str]:
    """A submit that is sent once, also where its answer is lost."""
    sent: list[ApiRequest] = []

    def lose(request: ApiRequest) -> Answer:
        sent.append(request)
        if request.repeatable:
            return bench.good(request)
        return VendorUnavailableError("No answer.", vendor=bench.kind.name, maybe_processed=True)

    value, error = attempt(lambda: bench.run(lambda vendor: vendor.submit(bench.submission), lose))
    submits = sum(not each.repeatable for each in sent)
    if isinstance(error, EndlessError):
        yield "submit never ends"
        return
    if error is not None and not isinstance(error, VendorUnavailableError | UnexpectedResponseError):
        if submits:
            yield (
                f"submit makes {type(error).__name__} of a lost answer: let the error pass, so that the job is "
                "searched for instead of submitted again"
            )
        elif not sent:
            yield f"submit refuses the request given here: {type(error).__name__}: {error}"
            return
    if not submits:
        yield "submit may be sent twice, and billed twice: mark the request that makes the job with repeatable=False"
    if submits > 1:
        yield "submit submits again after a lost answer, which may make a second job"
    if value is not None:
        yield "submit makes up a job although its answer was lost"


def check_requests(bench: Bench) -> Iterator[str]:
    """All requests of all flows: known operations, and no secret outside of ``auth``."""
    secrets = _secrets(bench)
    for name, flow_of in bench.flows().items():
        for request in bench.requests(flow_of):
            if request.operation not in OPERATIONS:
                known = ", ".join(OPERATIONS)
                yield f"{name} calls its operation {request.operation!r}, and there are only {known}"
            if any(secret in _text(request) for secret in secrets):
                yield f"{name} has a secret in its request, which is logged: auth puts secrets on requests"
            if not request.path.startswith("/") and not request.url:
                yield f"{name} has the path {request.path!r}, which must begin with '/'"


def _text(request: ApiRequest) -> str:
    """A request's content as it would be sent: a secret's own representation is masked."""
    parts = (request.path, request.url, request.params, request.headers, request.form, request.json, request.content)
    return json.dumps([dict(each) if isinstance(each, Mapping) else each for each in parts], default=str)


def check_secrets(bench: Bench, run_all: Callable[[], None]) -> Iterator[str]:
    """Check that no representation and no log line has a secret in it.

    Args:
        bench: the vendor.
        run_all: the other checks, in the course of which it logs.
    """
    secrets = _secrets(bench)
    vendor = bench.vendor()
    for what, value in (
        ("the vendor", vendor),
        ("auth()", vendor.auth()),
        ("rate_limit_scope", vendor.rate_limit_scope),
    ):
        if any(secret in repr(value) for secret in secrets):
            yield f"a secret is in the representation of {what}, which error reports show"
    lines = _logged(run_all)
    if any(secret in line for secret in secrets for line in lines):
        yield "a secret is in a log line: log by _redaction's get_logger, or not at all"


def _secrets(bench: Bench) -> list[str]:
    extra = [value for name, value in bench.account.extra.items() if isinstance(value, str) and is_secret(name)]
    return [str(each) for each in (bench.account.secret, *extra) if each]


def _logged(run: Callable[[], None]) -> list[str]:
    """The lines that any logger logs while ``run`` runs."""
    root, handler = logging.getLogger(), BufferingHandler(sys.maxsize)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        run()
        return [record.getMessage() for record in handler.buffer]
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
