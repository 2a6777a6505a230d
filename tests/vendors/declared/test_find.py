"""The job of a submit that got no response, by a document's ``find``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import JobNotFoundError, UnexpectedResponseError
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
