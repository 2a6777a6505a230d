"""A real request shows no credential: not in any library's log at DEBUG, and in no exception, however printed."""

from __future__ import annotations

import logging
import traceback
from urllib.parse import quote

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import BatchDlError, UnexpectedResponseError
from airflow_provider_batchdl.vendors.base import Vendor
from tests.client.helpers import REQUESTS, VENDORS, Face, both_faces, vendor_of  # noqa: F401 the fixture


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All loggers at DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "urllib3", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def secrets_of(vendor: Vendor, emulator: Emulator) -> list[str]:
    found = [vendor.account.secret, quote(vendor.account.secret, safe="")]
    found += [str(vendor.account.extra["project_key"])] if vendor.name == "batchcom" else []
    for asked in emulator.requests:
        found += [
            asked.headers[name].rpartition(" ")[2] for name in ("authorization", "x-key") if name in asked.headers
        ]
    return found


@pytest.mark.parametrize("name", VENDORS)
def test_logs_at_debug(emulator: Emulator, face: Face, name: str, everything: pytest.LogCaptureFixture) -> None:
    vendor = vendor_of(emulator, name)
    emulator.add_fault(Fault("status", status=503))
    face.run(vendor, lambda each: each.check(), lambda each: each.check())
    if name != "revenuebase":
        face.submit(vendor, REQUESTS[name])
    assert "httpcore" in everything.text
    assert "HTTP Request: " in everything.text  # the libraries do talk
    for secret in secrets_of(vendor, emulator):
        assert secret not in everything.text


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_signatures_of_links(emulator: Emulator, face: Face, name: str, everything: pytest.LogCaptureFixture) -> None:
    vendor = vendor_of(emulator, name)
    there = emulator.add_job(name)
    job = face.run(vendor, lambda each: each.get_job(there.id))
    with pytest.raises(UnexpectedResponseError) as caught:
        face.send(vendor, vendor.result_request(job, vendor.result_files(job)[0]))
    assert emulator.world.links.objects
    for text in (everything.text, str(caught.value), repr(caught.value.to_dict())):
        # The names may be seen, so that one knows what was there.
        for value in ("X-Amz-Signature=", "X-Amz-Credential="):
            assert all(part.startswith("***") for part in text.split(value)[1:])


ECHOES = [
    Fault("status", status=400, body="your key is {secret}", content_type="text/plain", times=99),
    Fault("status", status=400, body='{"message": "bad key {secret}"}', content_type="application/json", times=99),
    Fault("status", status=400, body='{"error_code": "{secret}", "error": "{secret}"}', times=99),
    Fault("status", status=500, body="<title>GET /x?api_key={secret}</title>", content_type="text/html", times=99),
    Fault("status", status=200, body="{secret}"),
    Fault("status", status=200, body='{"credits": "{secret}", "exports": 1}'),
    Fault("redirect", location="https://elsewhere.example/?token={secret}"),
    Fault("redirect", location="https://me:{secret}@elsewhere.example/"),
    Fault("reset", times=99),
]


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("fault", ECHOES, ids=lambda fault: f"{fault.kind}-{fault.status}-{str(fault.body)[:9]}")
def test_exceptions(
    emulator: Emulator, face: Face, name: str, fault: Fault, everything: pytest.LogCaptureFixture
) -> None:
    vendor = vendor_of(emulator, name)
    secret = vendor.account.secret
    changes = {
        "body": str(fault.body).replace("{secret}", secret) if fault.body else None,
        "location": (fault.location or "").replace("{secret}", secret) or None,
    }
    emulator.add_fault(Fault(**{**fault.__dict__, **changes, "operation": None if name != "apartmentiq" else "check"}))
    try:
        if name in ("revenuebase", "proofy"):
            face.run(vendor, lambda each: each.get_balance())
        else:
            face.run(vendor, lambda each: each.check())
    except BatchDlError as error:
        shown = [str(error), repr(error), str(error.to_dict()), "".join(traceback.format_exception(error))]
        seen: BaseException | None = error
        while seen is not None:  # the hidden ones too
            shown += [str(seen), repr(seen), repr(seen.args)]
            seen = seen.__cause__ or seen.__context__
        assert not [text for text in [*shown, everything.text] if secret in text]
    else:
        assert fault.status == 200
        assert name == "batchcom"  # its check asks for no more than the member


@pytest.mark.parametrize("name", VENDORS)
def test_an_account_shows_no_secret(emulator: Emulator, name: str) -> None:
    vendor = vendor_of(emulator, name)
    for text in (repr(vendor.account), str(vendor.account), repr(vendor), repr(vendor.auth()), repr(vars(vendor))):
        assert vendor.account.secret not in text
        assert "project_" not in text
    assert vendor.account.secret not in vendor.account.fingerprint


def test_a_job_that_quotes_the_key_reaches_xcom_without_it(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    there = emulator.add_job("apartmentiq", state="failed")
    there.message = f"Rejected {vendor.account.secret}, see https://h/?sig=abc"
    job = face.run(vendor, lambda each: each.get_job(there.id))
    assert job.message == "Rejected ***, see https://h/?sig=***"
