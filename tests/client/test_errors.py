"""A sample of the error table (tests/vendors/test_errors.py), as it comes out of both clients."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl.emulator import Emulator, Fault
from tests.client.helpers import Face, vendor_of
from tests.vendors.test_errors import FASTAPI, HTML, JOB_ID, PAGE, XML, Case

SAMPLE = [
    Case("revenuebase", "status", 401, {"detail": "Not authenticated"}, exc.AuthenticationError, "Not authenticated"),
    Case("revenuebase", "status", 422, FASTAPI, exc.InvalidRequestError, "path.process_id"),
    Case("revenuebase", "status", 502, PAGE, exc.VendorUnavailableError, "502 Bad Gateway", HTML),
    Case(
        "proofy", "status", 400, {"message": "Not enough credits"}, exc.InsufficientCreditsError, "Not enough credits"
    ),
    Case("proofy", "status", 500, "", exc.VendorUnavailableError),
    Case("proofy", "status", 403, XML, exc.VendorUnavailableError, "Request has expired", "application/xml"),
    Case("batchcom", "status", 400, {"error_code": "A", "error_message": "B"}, exc.InvalidRequestError, "B"),
    Case("batchcom", "status", 500, bytes(range(256)), exc.VendorUnavailableError, None, "application/octet-stream"),
    Case("apartmentiq", "status", 403, "", exc.PermissionDeniedError),
    Case("apartmentiq", "status", 429, {"error": "quota", "quota_limit": 5}, exc.QuotaExceededError, "quota"),
    Case("apartmentiq", "status", 429, "You have exceeded", exc.RateLimitedError, "exceeded", "text/plain"),
    Case("apartmentiq", "status", 422, {"errors": ["a", "b"]}, exc.InvalidRequestError, "a; b"),
    Case("apartmentiq", "status", 500, "<p>" * 400_000, exc.VendorUnavailableError, None, HTML),
    Case("apartmentiq", "status", 400, "x" * 2_000_000, exc.VendorUnavailableError, "xxx…", "text/plain"),
]


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_the_same_through_both_clients(emulator: Emulator, face: Face, case: Case) -> None:
    emulator.add_fault(
        Fault(
            "status", operation="status", status=case.status, body=case.content, content_type=case.content_type, times=9
        )
    )
    vendor = vendor_of(emulator, case.vendor)
    with pytest.raises(case.kind) as caught:
        face.run(vendor, lambda each: each.get_job(JOB_ID[case.vendor]))
    assert type(caught.value) is case.kind
    assert (caught.value.vendor_message or "").endswith(case.words or "") or str(case.words) in str(caught.value)
    assert caught.value.job_id == JOB_ID[case.vendor]
