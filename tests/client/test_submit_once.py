"""Never a second bill: a submit that may have been taken is looked up, and never sent again."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.client import policy
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    SubmitUncertainError,
    TransferError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors.submitting import ADOPTION_DELAYS
from tests.client.helpers import REQUESTS, VENDORS, BrokenFile, Face, Waits, operations, vendor_of

WITH_LIST = ("revenuebase", "batchcom", "apartmentiq")


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.csv"
    path.write_text("email\na@b.example\n")
    return path


def submit(emulator: Emulator, face: Face, name: str, contacts: Path, **more: Any) -> Any:
    file = contacts if name == "revenuebase" else None
    return face.submit(vendor_of(emulator, name), REQUESTS[name], file, **more)


LOST = [
    Fault("reset", operation="submit", processed=True),
    Fault("status", operation="submit", processed=True, status=500),
    Fault("status", operation="submit", processed=True, status=502, body="<html>", content_type="text/html"),
    Fault("status", operation="submit", processed=True, status=504, retry_after=1),
    Fault("status", operation="submit", processed=True, status=503, shape="html"),
    Fault("status", operation="submit", processed=True, status=503, shape="text"),
    Fault("status", operation="submit", processed=True, status=503, shape="empty"),
    Fault("html", operation="submit", processed=True),
    Fault("cut", operation="submit", after_bytes=5, abort=True),
    Fault("status", operation="submit", processed=True, status=200, body="{}", content_type="application/json"),
    Fault("status", operation="submit", processed=True, status=200, body='{"id": null}', content_type="text/json"),
    # Ids that no poll can ask for.
    *[
        Fault(
            "status", operation="submit", processed=True, status=200, content_type="text/json",
            body=json.dumps({"process_id": odd, "id": f"[{odd}]", "job_id": "no-uuid", "status": "QUEUED"}),
        )
        for odd in (-5, 10**28)
    ],
]  # fmt: skip


@pytest.mark.parametrize("name", WITH_LIST)
@pytest.mark.parametrize("fault", LOST, ids=lambda each: f"{each.kind}-{each.status}-{each.shape}-{str(each.body)[:9]}")
def test_a_lost_answer_is_mended_by_adopting_the_job(
    emulator: Emulator, face: Face, name: str, contacts: Path, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.world.run_seconds = 600  # Revenuebase lists active jobs only, whenever it is asked
    emulator.add_fault(fault)
    with caplog.at_level(logging.WARNING):
        job = submit(emulator, face, name, contacts)
    (there,) = emulator.jobs(name)
    assert job.id == there.id
    assert operations(emulator, name).count("submit") == 1
    assert "; adopted job " in caplog.text


@pytest.mark.parametrize("fault", LOST, ids=lambda each: f"{each.kind}-{each.status}-{each.shape}-{str(each.body)[:9]}")
def test_proofy_has_no_list_so_it_stays_uncertain(emulator: Emulator, face: Face, fault: Fault, contacts: Path) -> None:
    emulator.add_fault(fault)
    with pytest.raises(SubmitUncertainError, match="dashboard") as caught:
        submit(emulator, face, "proofy", contacts)
    assert caught.value.retryable is False
    assert caught.value.vendor_message
    assert isinstance(caught.value.__cause__, BatchDlError)
    assert len(emulator.jobs("proofy")) == 1
    assert operations(emulator) == ["submit"]


@pytest.mark.parametrize("name", WITH_LIST)
def test_a_job_that_shows_late_is_waited_for(
    emulator: Emulator, face: Face, name: str, contacts: Path, waits: Waits
) -> None:
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    empty = {
        "revenuebase": '{"processes": []}',
        "batchcom": '{"exports": [], "count": 0, "has_more": false}',
        "apartmentiq": '{"jobs": [], "pagination": {"total_pages": 1}}',
    }[name]
    emulator.add_fault(
        Fault("status", operation="list", status=200, body=empty, content_type="application/json", times=2)
    )
    # Held, since Revenuebase lists active jobs only, and these are quick.
    emulator.world.run_seconds = 600
    assert submit(emulator, face, name, contacts).id == emulator.jobs(name)[0].id
    assert [delay for delay in waits.delays if delay] == [each for each in ADOPTION_DELAYS if each]
    assert operations(emulator, name).count("list") == len(ADOPTION_DELAYS)


@pytest.mark.parametrize("name", WITH_LIST)
def test_not_in_the_list_is_uncertain(emulator: Emulator, face: Face, name: str, contacts: Path) -> None:
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, name, contacts)
    assert emulator.jobs(name) == []
    assert operations(emulator, name).count("submit") == 1


@pytest.mark.parametrize("name", WITH_LIST)
@pytest.mark.parametrize("status", [401, 500])
def test_a_list_that_fails_is_uncertain(
    emulator: Emulator, face: Face, name: str, contacts: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    emulator.add_fault(Fault("status", operation="list", status=status, times=99))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, name, contacts)
    assert operations(emulator, name).count("submit") == 1
    assert "Could not search for the job" in caplog.text


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("status", [429, 503])
def test_turned_away_is_sent_again(emulator: Emulator, face: Face, name: str, contacts: Path, status: int) -> None:
    emulator.add_fault(Fault("status", operation="submit", status=status, times=2))
    job = submit(emulator, face, name, contacts)
    assert operations(emulator, name).count("submit") == 3
    (there,) = emulator.jobs(name)
    assert job.id.endswith(there.id)
    if name == "revenuebase":  # the file went whole each time
        assert there.input == contacts.read_bytes()


@pytest.mark.parametrize("name", VENDORS)
def test_turned_away_for_good_is_no_uncertainty(emulator: Emulator, face: Face, name: str, contacts: Path) -> None:
    emulator.add_fault(Fault("status", operation="submit", status=503, times=99))
    with pytest.raises(VendorUnavailableError):
        submit(emulator, face, name, contacts)
    assert operations(emulator, name).count("submit") == policy.ATTEMPTS


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 422, 451])
def test_refused_is_refused(emulator: Emulator, face: Face, name: str, contacts: Path, status: int) -> None:
    """Any 4xx says that the request was not taken, known to us or not."""
    emulator.add_fault(Fault("status", operation="submit", status=status, times=9))
    with pytest.raises(BatchDlError) as caught:
        submit(emulator, face, name, contacts)
    assert not isinstance(caught.value, SubmitUncertainError)
    assert caught.value.status == status
    assert "list" not in operations(emulator)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 422])
def test_a_firewalls_refusal_was_not_taken_and_passes(
    emulator: Emulator, face: Face, name: str, contacts: Path, status: int
) -> None:
    emulator.add_fault(Fault("status", operation="submit", status=status, shape="html"))
    submit(emulator, face, name, contacts)
    assert len(emulator.jobs(name)) == 1
    assert "list" not in operations(emulator)
    emulator.add_fault(Fault("status", operation="submit", status=status, shape="html", times=99))
    with pytest.raises(VendorUnavailableError, match="Something else answered") as caught:
        submit(emulator, face, name, contacts)
    assert caught.value.retryable


@pytest.mark.parametrize(("status", "uncertain"), [(301, False), (307, False), (308, False), (302, True), (303, True)])
def test_a_submit_answered_by_a_redirect(
    emulator: Emulator, face: Face, contacts: Path, status: int, uncertain: bool
) -> None:
    """A server may redirect by 302 or 303 after it did what it was asked; by the others it sends us elsewhere."""
    emulator.add_fault(Fault("redirect", operation="submit", status=status, location="https://elsewhere.example/"))
    with pytest.raises(BatchDlError) as caught:
        submit(emulator, face, "proofy", contacts)
    assert isinstance(caught.value, SubmitUncertainError) is uncertain
    assert operations(emulator) == ["submit"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", operation="token", status=500, times=99),
        Fault("reset", operation="token", times=99),
        Fault("html", operation="token", times=99),
        Fault("redirect", operation="token", location="https://elsewhere.example/", times=99),
        Fault("status", operation="token", status=404, times=99),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_trouble_with_the_token_is_no_uncertainty_about_the_submit(
    emulator: Emulator, face: Face, contacts: Path, fault: Fault
) -> None:
    emulator.add_fault(fault)
    with pytest.raises(BatchDlError) as caught:
        submit(emulator, face, "apartmentiq", contacts)
    assert not isinstance(caught.value, SubmitUncertainError)
    assert "submit" not in operations(emulator)
    assert "list" not in operations(emulator)


def test_a_token_that_ended_meanwhile_submits_once(emulator: Emulator, face: Face, contacts: Path) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    face.run(vendor, lambda each: each.check())
    emulator.expire_tokens()
    emulator.add_fault(Fault("reset", operation="token", times=2))
    face.submit(vendor, REQUESTS["apartmentiq"])
    assert len(emulator.jobs("apartmentiq")) == 1


# --- the file to upload


@pytest.mark.parametrize(("missing", "words"), [("nowhere.csv", "does not exist"), (".", "is a folder, and no file")])
def test_a_file_that_cannot_be_opened(emulator: Emulator, face: Face, tmp_path: Path, missing: str, words: str) -> None:
    path = tmp_path / "folder.csv" if missing == "." else tmp_path / missing
    if missing == ".":
        path.mkdir()
    with pytest.raises(InvalidRequestError, match=words):
        face.submit(vendor_of(emulator, "revenuebase"), None, path)
    assert emulator.requests == []


@pytest.mark.parametrize("error", [KeyError("no such connection"), PermissionError("no"), RuntimeError("store")])
def test_whatever_a_store_raises_on_opening_is_typed(
    emulator: Emulator, face: Face, contacts: Path, error: Exception
) -> None:
    def opener(source: str) -> Any:
        raise error

    with pytest.raises(InvalidRequestError, match=r"(cannot|may not) be read"):
        Face(face.kind, opener).submit(vendor_of(emulator, "revenuebase"), None, contacts)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionResetError("gone"), TransferError),
        (TimeoutError(), TransferError),
        (OSError("bad"), InvalidRequestError),
    ],
)
def test_a_file_that_breaks_off_submits_nothing(
    emulator: Emulator, face: Face, contacts: Path, error: Exception, kind: type[BatchDlError]
) -> None:
    broken = Face(face.kind, lambda _: BrokenFile(error).__enter__())
    with pytest.raises(kind, match="cannot be read"):
        broken.submit(vendor_of(emulator, "revenuebase"), None, contacts)
    assert emulator.jobs("revenuebase") == []


# --- adoption takes the right one


def test_another_submission_of_the_same_file_is_not_adopted(emulator: Emulator, face: Face, contacts: Path) -> None:
    emulator.world.run_seconds = 600
    submit(emulator, face, "revenuebase", contacts, key="other001")
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, "revenuebase", contacts, key="mine0001")


def test_an_empty_key_adopts_nobody(emulator: Emulator, face: Face, contacts: Path) -> None:
    emulator.world.run_seconds = 600
    submit(emulator, face, "revenuebase", contacts, key="other001")
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, "revenuebase", contacts, key="")


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_an_equal_request_of_old_is_not_adopted(emulator: Emulator, face: Face, name: str, contacts: Path) -> None:
    emulator.world.add_job(name, request=REQUESTS[name]).submitted_at -= 3600
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, name, contacts)


@pytest.mark.parametrize("name", ["batchcom", "apartmentiq"])
def test_another_request_is_not_adopted(emulator: Emulator, face: Face, name: str, contacts: Path) -> None:
    other: dict[str, Any] = {"attributes": ["$other"]} if name == "batchcom" else {"property_ids": [8]}
    emulator.world.add_job(name, request={**REQUESTS[name], **other})
    emulator.add_fault(Fault("reset", operation="submit"))
    with pytest.raises(SubmitUncertainError):
        submit(emulator, face, name, contacts)


def test_a_request_of_tuples_is_found_again(emulator: Emulator, face: Face) -> None:
    emulator.add_fault(Fault("reset", operation="submit", processed=True))
    request = {**REQUESTS["batchcom"], "attributes": ("$region",)}
    assert face.submit(vendor_of(emulator, "batchcom"), request).id == emulator.jobs("batchcom")[0].id


@pytest.mark.parametrize(("name", "kind"), list(itertools.product(VENDORS, ["reset", "html", "status"])))
def test_there_is_never_a_second_job(emulator: Emulator, face: Face, name: str, kind: Any, contacts: Path) -> None:
    for operation in ("submit", "list", "token"):
        emulator.add_fault(Fault(kind, operation=operation, processed=True, status=500, times=3))
    with contextlib.suppress(SubmitUncertainError, VendorUnavailableError):
        submit(emulator, face, name, contacts)
    assert len(emulator.jobs(name)) <= 1
    assert operations(emulator, name).count("submit") <= 1
