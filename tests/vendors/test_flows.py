"""The flows alone, without a client: odd answers, paging that would not end, states nobody told us of."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._values.times import moment_of
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
    ResultNotReadyError,
    SubmitUncertainError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors import states
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Submission, Vendor
from airflow_provider_batchdl.vendors.flows import guarded
from airflow_provider_batchdl.vendors.listing import is_listed
from airflow_provider_batchdl.vendors.matching import is_echo_of
from airflow_provider_batchdl.vendors.reading import as_id, as_int, as_size, as_text, as_word
from tests.client.helpers import EXPORT, REPORT, REQUESTS, VENDORS, submission, vendor_at
from tests.support.guarding import guarding

Answer = Callable[[ApiRequest], Any]
UUID = "ed49987b-6539-4e9e-8a63-2bcd811ef0ec"
JOB_ID = {"revenuebase": "41001", "proofy": "5b2f", "batchcom": "export_1", "apartmentiq": UUID}


def vendor_named(name: str) -> Vendor:
    return guarding(vendor_at("https://h.example", name))


def drive(flow: Flow[Any], answer: Answer) -> Any:
    """Run a flow; ``answer`` gives the JSON, the bytes or the exception for each request."""
    try:
        request = next(flow)
        while True:
            given = answer(request)
            if isinstance(given, BatchDlError):
                request = flow.throw(given)
                continue
            content = given if isinstance(given, bytes) else json.dumps(given).encode()
            request = flow.send(httpx.Response(200, content=content))
    except StopIteration as done:
        return done.value


# --- paging


def listed(name: str, page: dict[str, Any]) -> tuple[list[Job], list[ApiRequest]]:
    """The jobs of a vendor that answers with the same page always, and what it was asked."""
    asked: list[ApiRequest] = []

    def answer(request: ApiRequest) -> dict[str, Any]:
        asked.append(request)
        return page

    return drive(vendor_named(name).list_jobs(), answer), asked


def test_a_cursor_that_repeats_ends_the_list() -> None:
    page = {"exports": [{"id": "export_1", "status": "RUNNING"}], "has_more": True, "next_from": "again"}
    jobs, asked = listed("batchcom", page)
    assert [job.id for job in jobs] == ["export_1"]
    assert [(request.params or {}).get("from") for request in asked] == [None, "again"]


@pytest.mark.parametrize(
    "end", [{"has_more": False, "next_from": "x"}, {"has_more": True}, {}, {"has_more": True, "next_from": ""}]
)
def test_a_list_of_one_page(end: dict[str, Any]) -> None:
    page = {"exports": [{"id": "export_1", "status": "RUNNING"}], **end}
    assert len(drive(vendor_named("batchcom").list_jobs(), lambda _: page)) == 1


def test_cursors_that_circle_end_the_list() -> None:
    cursors = itertools.cycle("abc")
    pages = ({"exports": [], "has_more": True, "next_from": cursor} for cursor in cursors)
    assert drive(vendor_named("batchcom").list_jobs(), lambda _: next(pages)) == []


def a_job(number: int) -> dict[str, Any]:
    return {"job_id": f"ed49987b-6539-4e9e-8a63-{number:012d}", "status": "submitted", **REPORT}


def test_jobs_made_meanwhile_are_not_listed_twice() -> None:
    pages = iter([[2, 1], [1, 0]])
    answer = lambda _: {"jobs": [a_job(each) for each in next(pages)], "pagination": {"total_pages": 2}}  # noqa: E731
    assert [job.id[-1] for job in drive(vendor_named("apartmentiq").list_jobs(), answer)] == ["2", "1", "0"]


def test_a_page_number_that_is_ignored_ends_the_list() -> None:
    jobs, asked = listed("apartmentiq", {"jobs": [a_job(1)], "pagination": {"total_pages": 10**9}})
    assert len(jobs) == 1
    assert len(asked) == 2


@pytest.mark.parametrize("total", ["2", 2.0, 0, -1, 1])
def test_page_counts_of_other_types(total: Any) -> None:
    page = {"jobs": [a_job(1)], "pagination": {"total_pages": total}}
    assert len(drive(vendor_named("apartmentiq").list_jobs(), lambda _: page)) == 1


# --- answers that make no sense

JUNK: list[Any] = [
    b"", b"not json", b"\xff\xfe", b"[" * 5000, b"1e999", None, 5, "text", [], {}, [1], {"id": None}, {"status": None},
    {"jobs": None}, {"jobs": "abc"}, {"jobs": [None]}, {"exports": 5}, {"exports": ["x"]}, {"processes": {}, "x": 1},
    {"processes": [5]}, {"credits": None}, {"credits": []}, {"credits": float("inf")}, {"credits": "many"},
    {"process_id": 1.5, "status": "QUEUED"}, {"process_id": True, "status": "QUEUED"}, {"id": "", "status": "ready"},
    {"id": True, "status": "RUNNING"}, {"job_id": None, "status": "submitted"}, {"id": {}, "status": "x"},
    {"jobs": [], "pagination": {"total_pages": float("inf")}}, {"jobs": [], "pagination": None},
    {"id": "export_1", "status": "SUCCESS", "files": 5}, {"id": "export_1", "status": "SUCCESS", "files": ["x"]},
    {"id": "export_1", "status": "SUCCESS", "files": [{"id": None}]},
]  # fmt: skip


UNEXPECTED = (UnexpectedResponseError, SubmitUncertainError)  # the latter of a list in which the job may be


def always(given: Any) -> Answer:
    return lambda _: given


def flows_of(name: str) -> dict[str, Callable[[Vendor], Flow[Any]]]:
    given = submission(REQUESTS[name], "x.csv" if name == "revenuebase" else None)
    flows: dict[str, Callable[[Vendor], Flow[Any]]] = {
        "submit": lambda vendor: vendor.submit(given),
        "status": lambda vendor: vendor.get_job(JOB_ID[name]),
        "list": lambda vendor: vendor.list_jobs(),
        "cancel": lambda vendor: vendor.ensure_cancelled(JOB_ID[name]),
        "balance": lambda vendor: vendor.get_balance(),
        "check": lambda vendor: vendor.check(),
        "find": lambda vendor: vendor.find_submitted(given),
    }
    for missing in {"proofy": ["list"], "batchcom": ["cancel"]}.get(name, []):
        del flows[missing]
    return flows


@pytest.mark.parametrize(("name", "operation"), [(name, each) for name in VENDORS for each in flows_of(name)])
def test_junk_is_unexpected_and_never_a_crash(name: str, operation: str) -> None:
    for junk in JUNK:
        vendor = vendor_named(name)
        try:
            value = drive(flows_of(name)[operation](vendor), always(junk))
        except UNEXPECTED:
            continue
        # What passed as sense is sense.
        for job in value if isinstance(value, list) else [value]:
            if isinstance(job, Job):
                assert job.id not in ("", "None", "True", "{}")
                assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


members: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({"a": 1})
)
answers = st.recursive(
    st.dictionaries(
        st.sampled_from(
            ["id", "job_id", "process_id", "status", "current_status", "message", "error_message", "filename", "files",
             "request", "request_date", "created_at", "report_type", "output_format", "credits", "has_more"]
        ),
        members,
    ),
    lambda inner: st.fixed_dictionaries(
        {"jobs": st.lists(inner, max_size=2), "exports": st.lists(inner, max_size=2),
         "processes": st.lists(inner, max_size=2), "files": st.lists(inner, max_size=2),
         "data": members, "pagination": st.just({"total_pages": 1}), "id": members, "status": st.text(max_size=3)}
    ),
    max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(VENDORS), st.integers(0, 99), answers)
def test_any_answer_is_sense_or_unexpected(name: str, number: int, answer: Any) -> None:
    flows = list(flows_of(name).values())
    vendor = vendor_named(name)
    try:
        value = drive(flows[number % len(flows)](vendor), lambda _: answer)
    except UNEXPECTED:
        return
    for job in value if isinstance(value, list) else [value]:
        if isinstance(job, Job):
            assert isinstance(job.message, str | None)
            assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job
            try:
                vendor.ensure_results(job)
            except (JobFailedError, JobCancelledError) as error:
                str(error)


def test_numbers_that_come_as_text_are_read() -> None:
    item = {
        "id": 7,
        "status": "SUCCESS",
        "files": [{"id": "f", "size": "592752", "part": "1"}, {"id": "g", "size": -1}],
    }
    job = drive(vendor_named("batchcom").get_job("7"), lambda _: item)
    assert job.files == (ResultFile("f", "7.json", 592752, 1), ResultFile("g", "7.json", None, None))


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (as_id, 5, "5"), (as_id, "a", "a"), (as_id, None, TypeError), (as_id, True, TypeError), (as_id, "", TypeError),
        (as_id, [], TypeError), (as_id, 1.5, TypeError), (as_id, 129.0, "129"), (as_id, 1e17, TypeError),
        (as_id, float("nan"), TypeError), (as_id, "caf\ufffd-1", TypeError), (as_text, None, None),
        (as_text, "", None), (as_text, {}, None),
        (as_text, "a", "a"), (as_text, {"a": 1}, '{"a": 1}'), (as_text, 0, "0"), (as_int, "7", 7), (as_int, 7.9, 7),
        (as_int, float("inf"), ValueError), (as_int, float("nan"), ValueError), (as_int, "x", ValueError),
        (as_int, None, TypeError), (as_size, 7, 7), (as_size, "7", 7), (as_size, -7, None), (as_size, True, None),
        (as_size, "x", None), (as_size, None, None), (as_size, float("inf"), None), (as_size, 7.9, None),
        (as_int, True, TypeError), (as_text, "x" * 10**7, "x" * 1_999 + "…"),
        (as_word, "--", TypeError), (as_word, "\u00a0_", TypeError),
    ],
)  # fmt: skip
def test_reading_members(reader: Callable[[Any], Any], value: Any, expected: Any) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected):
            reader(value)
    else:
        assert reader(value) == expected


# --- states


@pytest.mark.parametrize(
    ("name", "word", "state"),
    [(name, word, state) for name in VENDORS for word, state in vendor_named(name).states.items()],
)
def test_every_documented_state(name: str, word: str, state: JobState) -> None:
    body = {
        "id": JOB_ID[name],
        "job_id": UUID,
        "process_id": 41001,
        "status": word,
        "current_status": word,
        "files": [],
    }
    job = drive(vendor_named(name).get_job(JOB_ID[name]), lambda _: body)
    assert (job.state, job.vendor_state) == (state, word)


def test_the_documented_states_are_all_there() -> None:
    assert set(vendor_named("revenuebase").states) >= {
        "QUEUED", "PROCESSING", "COMPLETED", "ERROR", "CANCELLING", "CANCELLED", "PROCESSING QUEUED",
    }  # fmt: skip
    assert set(vendor_named("batchcom").states) == {"CREATED", "PENDING", "RUNNING", "SUCCESS", "ERROR"}
    assert set(vendor_named("apartmentiq").states) == {"submitted", "succeeded", "failed", "cancelled"}
    assert {"parsing", "ready"} <= set(vendor_named("proofy").states)


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("word", ["PAUSED", "Success!", "", "None"])
def test_an_unknown_state_counts_as_running_and_is_logged_once(
    name: str, word: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "_logged", set())
    vendor = vendor_named(name)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert vendor.state_of(word) is JobState.RUNNING
        vendor_named(name).state_of(word)
    assert caplog.text.count("unknown job state") == 1
    job = Job("1", vendor.state_of(word), word)
    assert vendor.ensure_results(job) is False
    assert job.to_dict()["vendor_state"] == word


@pytest.mark.parametrize("name", VENDORS)
def test_the_one_decision(name: str) -> None:
    vendor = vendor_named(name)
    assert not vendor.ensure_results(Job("1", JobState.PENDING, "w"))
    assert not vendor.ensure_results(Job("1", JobState.RUNNING, "w"))
    assert vendor.ensure_results(Job("1", JobState.SUCCEEDED, "w"))
    with pytest.raises(JobFailedError, match=r"failed in state BAD.*job 1.*because") as failed:
        vendor.ensure_results(Job("1", JobState.FAILED, "BAD", message="because"))
    assert failed.value.retryable is False
    cancelled = Job("1", JobState.CANCELLED, "w")
    with pytest.raises(JobCancelledError):
        vendor.ensure_results(cancelled)
    if vendor.keeps_partial_results:
        assert vendor.ensure_results(cancelled, accept_partial=True)
    else:
        with pytest.raises(JobCancelledError):
            vendor.ensure_results(cancelled, accept_partial=True)


@pytest.mark.parametrize("status", ["processing", "Unready", "", pytest.param("x" * 1000, id="long"), 5, True])
def test_only_proofys_ready_is_a_result(status: Any) -> None:
    with pytest.raises(ResultNotReadyError) as caught:
        vendor_named("proofy").check_result("1", {"status": status})
    assert len(str(caught.value)) < 400


# --- finding a job again

SINCE = datetime(2026, 7, 7, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("echoed", "created", "found"),
    [
        (EXPORT, "2026-07-07T12:00:05Z", True),
        ({**EXPORT, "filter": {"segment": "VIP"}}, "2026-07-07T12:00:05Z", False),  # somebody's, of fewer profiles
        ({**EXPORT, "more": 1}, "2026-07-07T12:00:05Z", False),
        ({**EXPORT, "filter": None, "events": [], "more": {}, "sample": False}, "2026-07-07T12:00:05Z", True),
        ({"filter": None}, "2026-07-07T12:00:05Z", None),  # nothing is told
        (EXPORT, "2026-07-07T11:58:30Z", True),  # their clock is behind
        (EXPORT, "2026-07-07T11:57:59Z", False),
        (EXPORT, "2026-07-07T14:00:05+02:00", True),
        (EXPORT, "2026-07-07T12:00:05", True),
        (EXPORT, "yesterday", None),
        (EXPORT, None, None),
        (EXPORT, 1783425605, True),  # Unix time
        ({**EXPORT, "attributes": ["$other"]}, "2026-07-07T12:00:05Z", False),
        ({"export_type": "ATTRIBUTES"}, "2026-07-07T12:00:05Z", True),  # what it lacks does not count
        ({"attributes": ["$region"]}, "2026-07-07T12:00:05Z", True),
        ({"export_type": "EVENTS"}, "2026-07-07T12:00:05Z", False),
        ({"export_type": "EVENTS"}, None, False),
        (None, "2026-07-07T11:57:59Z", False),
        (None, "2026-07-07T12:00:05Z", None),
        ([], "2026-07-07T12:00:05Z", None),
    ],
)
def test_is_echo_of(echoed: Any, created: Any, found: bool | None) -> None:
    """None where it cannot be told: such an item may be the job."""
    assert is_echo_of(echoed, EXPORT, created, SINCE) is found
    assert not is_echo_of(echoed, {}, created, SINCE)  # nothing asked for is in every job


@pytest.mark.parametrize("name", ["revenuebase", "batchcom", "apartmentiq"])
@pytest.mark.parametrize(
    ("page", "may_be"),
    [
        ({}, False),
        ({"processes": ["sick"], "exports": ["sick"], "jobs": ["sick"]}, True),
        ({"has_more": True, "pagination": {"total_pages": 2}}, True),  # and no way to the next page
    ],
)
def test_a_list_that_is_not_whole_may_show_any_job(name: str, page: dict[str, Any], may_be: bool) -> None:
    """So the job is not gone, and nothing is submitted in its place."""
    if name == "revenuebase" and "has_more" in page:
        pytest.skip("it has one page")
    empty = {"processes": [], "exports": [], "jobs": [], "pagination": {"total_pages": 1}}
    assert drive(is_listed(vendor_named(name), JOB_ID[name]), always({**empty, **page})) is may_be


def test_a_list_without_end_may_show_any_job() -> None:
    pages = iter(range(10_000))

    def page(_: Any) -> Any:
        return {"exports": [], "has_more": True, "next_from": str(next(pages))}

    assert drive(is_listed(vendor_named("batchcom"), "x"), page)


@pytest.mark.parametrize(
    ("sent", "echoed", "equal"),
    [
        (["a", "b"], ["b", "a"], True),
        (["a", "b"], ["b", "a", "b"], True),
        (["a", "b"], ["a"], False),
        (["a"], ["a", "b"], False),
        (("a", "b"), ["b", "a"], True),
        ([1201, 1202], ["1202", "1201"], True),
        (1201, "1201", True),
        (1201, 1202, False),
        (7.0, 7, True),
        (True, "true", True),
        (True, False, False),
        (None, [], True),
        ("2026-01-01", "2026-01-01T00:00:00Z", True),
        ("2026-01-01", "2026-01-01T00:00:00.000+00:00", True),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00Z", True),
        ("2026-01-01 00:00:00", "2026-01-01T00:00:00Z", True),
        ("2026-01-01", "2026-01-02", False),
        ("2026-01-01", "2026-01-01T12:00:00Z", False),
        ("now", "2026-07-07T12:00:04Z", True),
        ("now", "2026-07-06T12:00:04Z", False),
        ({"segment": "VIP", "more": None}, {"segment": "VIP"}, True),
        ({"segment": "VIP"}, {"segment": "VIP", "country": "FR"}, False),
        ({"any": [{"a": 1}, {"b": 2}]}, {"any": [{"b": 2}, {"a": 1}]}, True),
        ("ATTRIBUTES", "attributes", False),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("a ", "a", True),
    ],
)  # fmt: skip
def test_values_are_compared_by_what_they_mean(sent: Any, echoed: Any, equal: bool) -> None:
    request, echo = {"kind": "x", "member": sent}, {"member": echoed, "kind": "x"}
    assert is_echo_of(echo, request, "2026-07-07T12:00:05Z", SINCE) is equal


def test_where_a_job_and_its_request_are_one_object_only_the_requests_members_count() -> None:
    item = {**REPORT, "status": "submitted", "job_id": UUID, "error_message": "x", "queue": 5}
    assert is_echo_of(item, REPORT, "2026-07-07T12:00:05Z", SINCE, known=REPORT)
    assert not is_echo_of(item, {"report_type": "property"}, "2026-07-07T12:00:05Z", SINCE, known=REPORT)


@given(st.text() | st.integers() | st.none())
def test_any_time_is_aware_or_none(value: Any) -> None:
    when = moment_of(value)
    assert when is None or when.tzinfo is not None


def test_the_other_name_of_batchcoms_date_is_read() -> None:
    export = {"id": "export_1", "status": "CREATED", "request": EXPORT, "requested_at": datetime.now(UTC).isoformat()}
    found = drive(vendor_named("batchcom").find_submitted(submission(EXPORT)), lambda _: {"exports": ["junk", export]})
    assert found.id == "export_1"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/data/contacts.csv", "contacts-KEY.csv"),
        ("s3://conn@bucket/a/b.tar.json", "b.tar-KEY.json"),
        ("C:\\data\\Contacts.CSV", "Contacts-KEY.CSV"),
        ("name", "name-KEY"),
        (".csv", ".csv-KEY"),
    ],
)
def test_upload_names_carry_the_key(file: str, name: str) -> None:
    given = Submission({}, file, "KEY", datetime.now(UTC) - timedelta(days=1))
    assert given.upload_name() == name


# Ids with a secret in them.

SIGNED = "https://store.example/7.csv?X-Amz-Signature=0a1b2c3d4e5f60718293"


@pytest.mark.parametrize("found", [SIGNED, "exports/7.csv?sig=0a1b2c3d4e5f60718293", "Bearer 0a1b2c3d4e5f60718293"])
@pytest.mark.parametrize("number", [0, 1])
def test_an_id_with_a_secret_is_refused_whoever_read_it_and_not_shown(found: str, number: int) -> None:
    """What drives every flow looks at the ids of jobs and files that a vendor's own class has made, however it did."""
    job = [Job(found, JobState.RUNNING, "x"), Job("7", JobState.RUNNING, "x", files=(ResultFile(found),))][number]

    def flow() -> Flow[Job]:
        yield ApiRequest("submit", "POST", "/jobs", repeatable=False)
        return job

    with pytest.raises((UnexpectedResponseError, InvalidRequestError)[number]) as caught:
        drive(guarded(vendor_named("proofy"), flow()), lambda request: {})
    assert "0a1b2c3d" not in str(caught.value) + repr(caught.value.__dict__)
