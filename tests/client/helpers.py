"""What the tests of clients share: accounts at the emulator, and one way to drive a flow through either client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal, TypeVar

import httpx
import pytest

from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient
from airflow_provider_batchdl.client.uploading import Opener, open_local
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.jobs import Job, ResultFile
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Submission, Vendor

T = TypeVar("T")
VENDORS = ("revenuebase", "proofy", "batchcom", "apartmentiq")

REPORT: dict[str, Any] = {
    "report_type": "property",
    "output_format": "csv",
    "start_date": "2025-01-01",
    "end_date": "2025-01-02",
    "property_ids": [7],
}
EXPORT: dict[str, Any] = {"export_type": "ATTRIBUTES", "attributes": ["$region"], "identifiers": ["custom_id"]}
EMAILS: dict[str, Any] = {"emails": ["a@b.example", "c@d.example"]}
REQUESTS: dict[str, dict[str, Any]] = {
    "revenuebase": {},
    "proofy": EMAILS,
    "batchcom": EXPORT,
    "apartmentiq": REPORT,
}


def account_at(url: str, name: str, **changes: Any) -> Account:
    """An account with made-up credentials at a base URL."""
    extra = {"rate_limit": "10000/1", "project_key": "project_madeup00000001"}
    fields: dict[str, Any] = {"secret": "madeup_key_00000001", "base_url": url, **changes}
    return Account(**{**fields, "extra": {**extra, **changes.get("extra", {})}})


def vendor_at(url: str, name: str, **changes: Any) -> Vendor:
    return vendor_class(name)(account_at(url, name, **changes))


def vendor_of(emulator: Emulator, name: str, **changes: Any) -> Vendor:
    """A vendor with the emulator's account; ``changes`` are fields of the account."""
    known = emulator.credentials[name]
    extra = {"rate_limit": "10000/1", **known.extra, **changes.pop("extra", {})}
    fields: dict[str, Any] = {"base_url": emulator.urls[name], "secret": known.password, "login": known.login}
    return vendor_class(name)(Account(**{**fields, **changes, "extra": extra}))


def submission(
    request: dict[str, Any] | None = None, file: Any = None, key: str = "k0000001", known_job_ids: Collection[str] = ()
) -> Submission:
    return Submission(request or {}, str(file) if file else None, key, datetime.now(UTC), known_job_ids)


@dataclass
class Face:
    """One of the two clients, driven alike."""

    kind: Literal["sync", "async"]
    opener: Opener = open_local

    def run(self, vendor: Vendor, *flows: Callable[[Vendor], Flow[Any]]) -> Any:
        """Run the flows one after another on one client; return the last one's value."""
        if self.kind == "async":
            return asyncio.run(self._arun(vendor, flows))
        value: Any = None
        with BatchClient(vendor, opener=self.opener) as client:
            for flow in flows:
                value = client.run(flow(vendor))
        return value

    async def _arun(self, vendor: Vendor, flows: tuple[Callable[[Vendor], Flow[Any]], ...]) -> Any:
        value: Any = None
        async with AsyncBatchClient(vendor, opener=self.opener) as client:
            for flow in flows:
                value = await client.run(flow(vendor))
        return value

    def send(self, vendor: Vendor, request: ApiRequest) -> httpx.Response:
        """Send one request."""

        def flow(_: Vendor) -> Flow[httpx.Response]:
            return (yield request)

        response: httpx.Response = self.run(vendor, flow)
        return response

    def submit(self, vendor: Vendor, request: dict[str, Any] | None = None, file: Any = None, **more: Any) -> Job:
        what = submission(request, file, **more)
        job: Job = self.run(vendor, lambda each: each.submit_once(what))
        return job


@pytest.fixture(name="face", params=["sync", "async"])
def both_faces(request: pytest.FixtureRequest) -> Face:
    """Either client: modules that import this run each test with both."""
    return Face(request.param)


BOTH_FACES = pytest.mark.parametrize("face", ["sync", "async"], indirect=True)
"""The same for one test."""


@dataclass
class Waits:
    """What was asked to be waited for, none of which was."""

    backoffs: list[tuple[int, float | None]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    holds: list[float] = field(default_factory=list)

    @property
    def asked(self) -> list[float | None]:
        """What vendors asked for, for each failure that was tried again."""
        return [after for _, after in self.backoffs]


def operations(emulator: Emulator, vendor: str | None = None) -> list[str]:
    return [each.operation for each in emulator.requests if vendor in (None, each.vendor)]


def download_request(vendor: Vendor, job_id: str) -> ApiRequest:
    return vendor.result_request(_job(job_id), ResultFile(job_id))


def _job(job_id: str) -> Job:
    from airflow_provider_batchdl.jobs import JobState

    return Job(job_id, JobState.SUCCEEDED, "done")


class BrokenFile:
    """A file whose store goes away in the middle."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._sent = False

    def read(self, size: int = -1) -> bytes:
        if self._sent:
            raise self._error
        self._sent = True
        return b"email\n" * 10

    def seek(self, offset: int, whence: int = 0) -> int:
        return 10_000 if whence else offset

    def tell(self) -> int:
        return 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.read()

    def __enter__(self) -> BinaryIO:
        return self  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None:
        return None
