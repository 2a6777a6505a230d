"""Whatever is odd about an answer is a typed error about that request alone; for a submit, an uncertain one."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Iterable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    SubmitUncertainError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from airflow_provider_batchdl.vendors.flows import same_id
from tests.client.helpers import REQUESTS, VENDORS, Face, operations, vendor_at, vendor_of
from tests.support.raw_server import serving

LATIN = "caf\xe9 \xff"
HEADERS = [
    {"X-Note": LATIN},
    {"Content-Type": f"application/json; charset={LATIN}"},
    {"Content-Type": "application/json; charset=rot13"},
    {"Content-Type": "application/json; charset*=utf-16'x'%ff%fe; charset*0*=a"},
    {"Retry-After": LATIN},
    {"Date": LATIN},
    {"X-RateLimit-Remaining": LATIN, "X-RateLimit-Reset": LATIN, "X-RateLimit-Reset-After": LATIN},
    {"Location": f"/{LATIN}"},
    {"Set-Cookie": f"{LATIN}={LATIN}; expires={LATIN}"},
    {"Content-Encoding": LATIN},
    {"Content-Disposition": LATIN},
]
LOCATIONS = [
    f"/{LATIN}",
    "http://[",
    "https://a b/",
    "//",
    "http://:99999999/",
    "\t",
    "http://xn--\xe9.example/",
    "https://" + "a" * 300,
]


def ids(value: object) -> str:
    return type(value).__name__ if isinstance(value, Exception) else json.dumps(value)[:40]


def paired(each: Iterable[Any], other: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Each with one of the others: which of them it is cannot matter."""
    return list(zip(each, cycle(other), strict=False))


def submitted(emulator: Emulator, face: Face, name: str, contacts: Path) -> Any:
    return face.submit(vendor_of(emulator, name), REQUESTS[name], contacts if name == "revenuebase" else None)


@pytest.mark.parametrize(("headers", "name"), paired(HEADERS, VENDORS), ids=ids)
def test_an_odd_header_does_not_cost_the_answer(
    emulator: Emulator, face: Face, name: str, contacts: Path, headers: dict[str, str]
) -> None:
    for operation in ("token", "submit", "status"):
        emulator.add_fault(Fault("headers", operation=operation, headers=headers))
    job = submitted(emulator, face, name, contacts)
    assert face.run(vendor_of(emulator, name), lambda each: each.get_job(job.id)).id == job.id
    assert operations(emulator).count("submit") == len(emulator.jobs(name)) == 1
    assert "list" not in operations(emulator)


@pytest.mark.parametrize(("headers", "status"), paired(HEADERS, [400, 404, 429, 500]), ids=ids)
def test_nor_the_meaning_of_an_error(emulator: Emulator, face: Face, headers: dict[str, str], status: int) -> None:
    emulator.add_fault(Fault("status", operation="status", status=status, headers=headers, times=9))
    with pytest.raises(BatchDlError) as caught:
        face.run(vendor_of(emulator, "batchcom"), lambda each: each.get_job("export_1"))
    assert (caught.value.vendor, caught.value.job_id, caught.value.status) == ("batchcom", "export_1", status)
    assert not isinstance(caught.value, UnexpectedResponseError)


@pytest.mark.parametrize(("location", "status"), paired(LOCATIONS, [301, 302, 303, 307, 308]), ids=ids)
def test_a_location_that_is_no_url(face: Face, location: str, status: int) -> None:
    head = f"HTTP/1.1 {status} Go\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode("latin-1")
    with serving(head) as url:
        vendor = vendor_at(url.rstrip("/"), "proofy")
        with pytest.raises(UnexpectedResponseError, match="redirects") as caught:
            face.run(vendor, lambda each: each.get_job("7"))
        assert (caught.value.vendor, caught.value.job_id, caught.value.status) == ("proofy", "7", status)
        kind = SubmitUncertainError if status in (302, 303) else UnexpectedResponseError
        with pytest.raises(kind):
            face.submit(vendor, REQUESTS["proofy"])


ODD = [
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 299 \xff\r\nContent-Length: 2\r\n\r\n[]",
    b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{\"a\": 1e9",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\xd8",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    b"HTTP/1.1 200 OK\r\nContent-Length: 200002\r\n\r\n" + b"[" * 100_001 + b"]" * 100_001,
    b"HTTP/1.1 200 OK\r\nContent-Length: 20007\r\n\r\n{\"id\":" + b"9" * 20_000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("answer", ODD, ids=[ascii(each[9:50]) for each in ODD])
@pytest.mark.parametrize("name", VENDORS)
def test_no_answer_is_an_untyped_error(face: Face, answer: bytes, name: str) -> None:
    with serving(answer) as url:
        vendor = vendor_at(url.rstrip("/"), name)
        job_id = {"revenuebase": "7", "apartmentiq": ID}.get(name, "7")
        for flow in (lambda each: each.get_job(job_id), lambda each: each.check()):
            with contextlib.suppress(BatchDlError):
                face.run(vendor, flow)
        if name != "revenuebase":
            with pytest.raises(SubmitUncertainError):
                face.submit(vendor, REQUESTS[name])


ID = "8d8ac610-566d-4ef0-9c22-186b2a5ed793"


# --- what a vendor's code raises

RAISED = [KeyError("status"), TypeError("x"), AttributeError("get"), OverflowError("int"), RecursionError(),
          IndexError(), UnicodeDecodeError("ascii", b"\xe9", 0, 1, "ordinal"), ZeroDivisionError(), AssertionError(),
          StopIteration(), LookupError("unknown encoding")]  # fmt: skip


def failing_flow(error: BaseException) -> Flow[str]:
    yield ApiRequest("status", "GET", "/credits", job_id="129")
    raise error


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_what_a_reader_raises_is_typed(emulator: Emulator, face: Face, error: Exception) -> None:
    with pytest.raises(UnexpectedResponseError, match="cannot be read") as caught:
        face.run(vendor_of(emulator, "proofy"), lambda _: failing_flow(error))
    assert (caught.value.vendor, caught.value.job_id, caught.value.status) == ("proofy", "129", 200)
    assert caught.value.__cause__ is None


def _failing(error: BaseException, _: Vendor) -> Flow[str]:
    return failing_flow(error)


class Interrupted(BaseException):
    """Like Airflow's task time-out, which is no ``Exception`` either."""


def test_what_is_no_error_passes(emulator: Emulator, face: Face) -> None:
    for interruption in (Interrupted(), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError()):
        with pytest.raises(type(interruption)):
            face.run(vendor_of(emulator, "proofy"), partial(_failing, interruption))


@pytest.mark.parametrize(("error", "name"), paired(RAISED, VENDORS), ids=ids)
def test_a_submit_whose_answer_breaks_its_reader_was_made_once(
    emulator: Emulator, face: Face, name: str, contacts: Path, error: Exception
) -> None:
    class Broken(type(vendor_of(emulator, name))):  # type: ignore[misc]
        def read_json(self, operation: str, response: Any) -> Any:
            if operation == "submit":
                raise error
            return super().read_json(operation, response)

    emulator.world.run_seconds = 600
    vendor = Broken(vendor_of(emulator, name).account)
    file = contacts if name == "revenuebase" else None
    if name == "proofy":
        with pytest.raises(SubmitUncertainError):
            face.submit(vendor, REQUESTS[name], file)
    else:
        assert face.submit(vendor, REQUESTS[name], file).id == emulator.jobs(name)[0].id
    assert operations(emulator).count("submit") == len(emulator.jobs(name)) == 1


@pytest.mark.parametrize("status", [401, 404, 500])
def test_what_the_reader_of_an_error_raises_is_typed(emulator: Emulator, face: Face, status: int) -> None:
    class Broken(type(vendor_of(emulator, "proofy"))):  # type: ignore[misc]
        def error(self, request: ApiRequest, response: Any) -> BatchDlError:
            raise KeyError("code")

    emulator.add_fault(Fault("status", status=status, times=9))
    with pytest.raises(UnexpectedResponseError, match="KeyError") as caught:
        face.run(Broken(vendor_of(emulator, "proofy").account), lambda each: each.get_job("7"))
    assert (caught.value.job_id, caught.value.status) == ("7", status)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_a_request_that_cannot_be_made_was_not_sent(emulator: Emulator, face: Face, error: Exception) -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise error

    def flow(_: Vendor) -> Flow[Any]:
        return (yield ApiRequest("submit", "POST", "/verify/batch/create", json=Odd(a=1), repeatable=False))

    with pytest.raises(InvalidRequestError, match="cannot be made"):
        face.run(vendor_of(emulator, "proofy"), flow)
    assert emulator.requests == []


# --- the file to submit


class Sticky(io.BytesIO):
    """A file whose store fails when it is closed."""

    def __exit__(self, *_: object) -> None:
        raise OSError("the store is gone")


def test_a_file_that_cannot_be_closed_was_submitted(emulator: Emulator, face: Face, contacts: Path) -> None:
    job = Face(face.kind, lambda _: Sticky(b"email\na@b.example\n")).submit(
        vendor_of(emulator, "revenuebase"), None, contacts
    )
    assert job.id == emulator.jobs("revenuebase")[0].id


# --- an answer about another job


def status_body(name: str, job_id: object) -> str:
    return json.dumps(
        {
            "revenuebase": {"process_id": job_id, "current_status": "COMPLETED", "status": "COMPLETED"},
            "proofy": {"id": job_id, "status": "ready"},
            "batchcom": {"id": job_id, "status": "SUCCESS", "request": {}, "files": []},
            "apartmentiq": {"job_id": job_id, "status": "succeeded", "report_type": "property"},
        }[name]
    )


OTHERS = [
    ("revenuebase", "129", 7),
    ("proofy", "129", 7),
    ("proofy", "file:129", 7),
    ("batchcom", "export_129", "export_7"),
    ("batchcom", "export_a", "EXPORT_A"),
    ("apartmentiq", ID, ID[:-1] + "4"),
]


@pytest.mark.parametrize(("name", "asked", "answered"), OTHERS)
@pytest.mark.parametrize("operation", ["status", "cancel"])
def test_an_answer_about_another_job_is_not_believed(
    emulator: Emulator, face: Face, name: str, asked: str, answered: object, operation: str
) -> None:
    if name == "batchcom" and operation == "cancel":
        pytest.skip("it cancels nothing")
    emulator.add_fault(
        Fault("status", status=200, operation=operation, body=status_body(name, answered), content_type="text/json")
    )
    with pytest.raises(UnexpectedResponseError, match="another job") as caught:
        face.run(
            vendor_of(emulator, name),
            lambda each: each.get_job(asked) if operation == "status" else each.ensure_cancelled(asked),
        )
    assert caught.value.job_id == asked
    assert caught.value.status == 200


SAME = [
    ("revenuebase", "129", 129),
    ("revenuebase", "0129", 129),
    ("proofy", "129", 129),
    ("proofy", "129", "129"),
    ("proofy", "file:129", 129),
    ("proofy", "129", None),
    ("proofy", "file:129", None),
    ("batchcom", "export_129", "export_129"),
    ("apartmentiq", ID, ID.upper()),
    ("apartmentiq", ID.upper(), ID),
    ("apartmentiq", ID.replace("-", ""), ID),
]


@pytest.mark.parametrize(("name", "asked", "answered"), SAME)
def test_another_spelling_of_the_id_is_the_same_job(
    emulator: Emulator, face: Face, name: str, asked: str, answered: object
) -> None:
    body = status_body(name, answered)
    emulator.add_fault(Fault("status", status=200, operation="status", body=body, content_type="application/json"))
    job = face.run(vendor_of(emulator, name), lambda each: each.get_job(asked))
    assert same_id(job.id, asked)


def test_a_closed_client_is_a_typed_error(emulator: Emulator) -> None:
    from airflow_provider_batchdl.client import BatchClient

    client = BatchClient(vendor_of(emulator, "proofy"))
    client.close()
    with pytest.raises((UnexpectedResponseError, VendorUnavailableError)):
        client.run(client.vendor.get_balance())
