"""Drive a vendor's flow with canned answers, as the clients would with real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias, TypeVar

import httpx

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.flows import guarded, value_of

T = TypeVar("T")

Answer: TypeAlias = "httpx.Response | tuple[int, Any] | BatchDlError"
"""An answer: a response; a status and a body (bytes, or what JSON is made of); or an error, such as a lost answer's."""


def drive(
    flow: Flow[T], answers: Iterable[Answer] | Callable[[ApiRequest], Answer], *, vendor: Vendor | None = None
) -> tuple[T, list[ApiRequest]]:
    """Run a flow to its end.

    Args:
        flow: such as ``vendor.get_job("7")``.
        answers: one for each request, in order; or a function that gives the answer to a request.
        vendor: whose flow it is. With it, errors are raised as by the clients: the vendor says what an answer of
            status 400 or above means, and whatever the flow raises over an answer becomes an
            ``UnexpectedResponseError``. Without it, the flow gets every response as it is.

    Returns:
        The flow's value, and the requests that it made.

    Raises:
        AssertionError: there are fewer answers than requests, or more.
        BatchDlError: the flow's own error.
    """
    requests: list[ApiRequest] = []
    given = None if callable(answers) else iter(answers)

    def send(request: ApiRequest) -> httpx.Response:
        requests.append(request)
        return _reply(request, answers(request) if callable(answers) else _next(given, requests), vendor)

    value = value_of(flow if vendor is None else guarded(vendor, flow), send)
    left = 0 if given is None else sum(1 for _ in given)
    if left:
        raise AssertionError(f"The flow ended after {_told(requests)}; {left} more answers were given.")
    return value, requests


def response_of(answer: httpx.Response | tuple[int, Any], request: ApiRequest) -> httpx.Response:
    """An answer as the response to a request."""
    if isinstance(answer, httpx.Response):
        response = answer
    else:
        status, body = answer
        is_text = isinstance(body, bytes)
        headers = {} if is_text else {"Content-Type": "application/json"}
        response = httpx.Response(status, headers=headers, content=body if is_text else json.dumps(body).encode())
    response.request = _sent(request.method)
    return response


@cache
def _sent(method: str) -> httpx.Request:
    """A request that has been sent; made once, as checks give thousands of answers."""
    return httpx.Request(method, "https://vendor.example/")


def _reply(request: ApiRequest, answer: Answer, vendor: Vendor | None) -> httpx.Response:
    if isinstance(answer, BatchDlError):
        raise answer
    response = response_of(answer, request)
    if vendor is None or response.status_code in request.accepts:
        return response
    if (refusal := vendor.refusal(request, response)) is not None:
        raise refusal
    return response


def _next(given: Iterator[Answer] | None, requests: list[ApiRequest]) -> Answer:
    for answer in given or ():
        return answer
    raise AssertionError(f"The flow made {_told(requests)}, and there is no answer to the last.")


def _told(requests: list[ApiRequest]) -> str:
    made = ", ".join(f"{each.method} {each.path}" for each in requests)
    return f"{len(requests)} requests ({made})"
