"""The job of a submit that got no response, by a document's ``find``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import JobNotFoundError, UnexpectedResponseError, VendorUnavailableError
from airflow_provider_batchdl.vendors.declared import DocumentError
from airflow_provider_batchdl.vendors.declared.reading import read
from airflow_provider_batchdl.vendors.requests import Submission
from tests.vendors.declared.documents import answer, changed, drive, submission, vendor_of

LIST: dict[str, Any] = {"path": "/batches", "items": "/data", "complete": True}
BY_TIME = changed(list=LIST, find={"kind": "time"}, job={"created": "/made"})


def made(minutes: float, job_id: str = "7") -> dict[str, str]:
    return {"id": job_id, "status": "busy", "made": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()}


@pytest.mark.parametrize(
    ("ages", "found"),
    [
        ([], []),
        ([-60], []),
        ([0], [None]),
        ([-60, 1, None], [None, None]),
    ],
    ids=["nothing", "older", "new", "new and undated"],
)
def test_by_time_a_new_job_may_be_it_and_an_older_one_is_not(ages: list[float | None], found: list[None]) -> None:
    undated = {"id": "9", "status": "busy"}
    items = [undated if minutes is None else made(minutes, str(number)) for number, minutes in enumerate(ages)]
    acme = vendor_of(BY_TIME)
    assert drive(acme.candidates(submission({"query": "x"}), 0), [answer({"data": items})])[0] == found


def test_by_time_a_job_that_is_known_is_not_it() -> None:
    acme = vendor_of(BY_TIME)
    known = Submission({}, None, "k", datetime.now(UTC), {"7"})
    assert drive(acme.candidates(known, 0), [answer({"data": [made(0)]})])[0] == []


def test_an_empty_page_that_another_follows_does_not_end_the_search() -> None:
    pages = {**LIST, "paging": {"kind": "cursor", "next": "/next", "param": "after"}}
    submit = {"path": "/batches", "json": {"tag": "{key}"}}
    acme = vendor_of(changed(list=pages, submit=submit, find={"kind": "key", "pointer": "/tag"}))
    ours = {"id": "7", "status": "busy", "tag": "k0000001"}
    answers = [answer({"data": [], "next": "x"}), answer({"data": [ours]})]
    [found] = drive(acme.candidates(submission({}), 0), answers)[0]
    assert found is not None
    assert found.id == "7"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"list": LIST}, r"list\.complete: it means nothing without \[find\]"),
        ({"list": LIST, "find": {"kind": "time"}}, r"find: job\.created is needed"),
    ],
)
def test_a_list_decides_nothing_without_a_way_to_find_a_job(members: dict[str, Any], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read(changed(**members), "test")


def test_a_job_that_is_null_is_not_found() -> None:
    acme = vendor_of(changed(status={"path": "/x/{job.id}", "at": "/data/node"}))
    with pytest.raises(JobNotFoundError, match="no job of this id"):
        drive(acme.get_job("7"), [answer({"data": {"node": None}})])
    with pytest.raises(UnexpectedResponseError, match="there is no job at"):
        drive(acme.get_job("7"), [answer({"data": {}})])


# A submit that can be sent twice.

IDEMPOTENT = {"path": "/batches", "headers": {"Idempotency-Key": "{key}"}, "repeatable": True}


def test_an_idempotent_submit_is_found_by_sending_it_again() -> None:
    """With the same key it makes no second job, and with the key of another submit it would."""
    acme = vendor_of(changed(submit=IDEMPOTENT, dates="days"))
    flow = acme.submit_once(submission({"day": date(2026, 10, 31)}))
    first = next(flow)
    assert not first.repeatable  # so that the intent, and the key, are stored before it is sent
    again = flow.throw(VendorUnavailableError("No answer.", maybe_processed=True))
    assert again == replace(first, repeatable=True)
    assert again.headers == {"Idempotency-Key": "k0000001"}
    with pytest.raises(StopIteration) as done:
        flow.send(answer({"id": 7, "status": "waiting"}))
    assert done.value.value.id == "7"
    # The task's retry, after its worker was killed.
    job, [request] = drive(
        acme.find_submitted(submission({"day": date(2026, 10, 31)})), [answer({"id": 7, "status": "busy"})]
    )
    assert (job and job.id, request) == ("7", again)


def test_a_submit_of_which_one_step_makes_the_job_is_not_sent_again() -> None:
    steps = [
        {"path": "/jobs", "keep": {"id": "/id"}, "repeatable": False},
        {"path": "/{step.id}/go", "repeatable": True},
    ]
    acme = vendor_of(changed(submit=steps))
    _, requests = drive(acme.submit(submission()), [answer({"id": 7}), answer({"id": 7})])
    assert [each.repeatable for each in requests] == [False, True]
    assert drive(acme.find_submitted(submission()), []) == (None, [])
