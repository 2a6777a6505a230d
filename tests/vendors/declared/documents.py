"""Documents for tests: the smallest vendor that there is, and changes of it."""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.declared import Declared
from airflow_provider_batchdl.vendors.declared.reading import read
from airflow_provider_batchdl.vendors.requests import ApiRequest, Submission
from tests.support.guarding import guarding

T = TypeVar("T")
TWINS = Path(__file__).parent / "twins"

SMALLEST: dict[str, Any] = {
    "spec": 1,
    "name": "acme",
    "label": "Acme",
    "docs_url": "https://docs.acme.example",
    "base_url": "https://api.acme.example",
    "auth": {"kind": "bearer"},
    "states": {"waiting": "pending", "busy": "running", "done": "succeeded", "oops": "failed", "stopped": "cancelled"},
    "submit": {"path": "/batches"},
    "status": {"path": "/batches/{job.id}"},
    "files": {"path": "/batches/{job.id}/result"},
    "check": {"path": "/me"},
}


def changed(**members: Any) -> dict[str, Any]:
    """The smallest document with other members; None takes one away."""
    document = copy.deepcopy(SMALLEST) | members
    return {name: value for name, value in document.items() if value is not None}


def vendor_of(document: dict[str, Any], **account: Any) -> Declared:
    """The vendor of a document, with a made-up account."""
    kind = Declared.of(read(document, "test"))
    fields = {"base_url": kind.default_host or "https://acme.example", "secret": "made-up-key-0001", **account}
    return guarding(kind(Account(**fields)))


def submission(request: dict[str, Any] | None = None, file: str | None = None, key: str = "k0000001") -> Submission:
    return Submission(request or {}, file, key, datetime.now(UTC))


def answer(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def drive(
    flow: Generator[ApiRequest, httpx.Response, T], answers: Sequence[httpx.Response]
) -> tuple[T, list[ApiRequest]]:
    """Run a flow with canned answers; its value, and its requests."""
    requests: list[ApiRequest] = []
    remaining = list(answers)
    try:
        requests.append(next(flow))
        while True:
            requests.append(flow.send(remaining.pop(0)))
    except StopIteration as done:
        assert not remaining, "it asked for less"
        return done.value, requests
