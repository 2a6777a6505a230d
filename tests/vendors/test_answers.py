"""Answers that are no errors by their status, and what they mean all the same; one mechanism for every vendor."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl import exceptions as exc
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.vendors import answers, states
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow
from airflow_provider_batchdl.vendors.flows import guarded
from tests.client.helpers import EXPORT, REPORT, REQUESTS, VENDORS, submission, vendor_at
from tests.vendors.test_flows import JOB_ID, UUID, always, drive, flows_of, vendor_named

ID_MEMBER = {"revenuebase": "process_id", "proofy": "id", "batchcom": "id", "apartmentiq": "job_id"}
RUNNING = {"revenuebase": "PROCESSING", "proofy": "processing", "batchcom": "RUNNING", "apartmentiq": "submitted"}
CANCELLED = {"revenuebase": "CANCELLED", "proofy": "cancelled", "apartmentiq": "cancelled"}
DONE = {"revenuebase": "COMPLETED", "proofy": "ready", "batchcom": "SUCCESS", "apartmentiq": "succeeded"}
LISTS = {"revenuebase": "processes", "batchcom": "exports", "apartmentiq": "jobs"}
OUTSIDE = {"apartmentiq": {"pagination": {"total_pages": 1}}}


def shown(name: str, word: Any, **more: Any) -> dict[str, Any]:
    """A job as the vendor shows it."""
    job_id: Any = int(JOB_ID[name]) if name == "revenuebase" else JOB_ID[name]
    return {ID_MEMBER[name]: job_id, "status": word, **more}


def listed(name: str, items: list[Any]) -> dict[str, Any]:
    return {LISTS[name]: items, **OUTSIDE.get(name, {})}


# --- errors inside a 200

BOTH = ("submit", "status")
REFUSED = {"submit": exc.InvalidRequestError, "status": exc.UnexpectedResponseError}


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ({"error": True, "message": "Not enough credits"}, dict.fromkeys(BOTH, exc.InsufficientCreditsError)),
        ({"error": True, "message": "Unauthorized"}, dict.fromkeys(BOTH, exc.AuthenticationError)),
        ({"message": "Too Many Requests"}, dict.fromkeys(BOTH, exc.RateLimitedError)),
        ({"error": True, "message": "Not Found"}, {"submit": exc.InvalidRequestError, "status": exc.JobNotFoundError}),
        ({"error": {"message": "Bad list"}}, REFUSED),
        ({"success": False, "message": "No"}, REFUSED),
        ({"error": True, "code": "429"}, dict.fromkeys(BOTH, exc.RateLimitedError)),
        ({"error": True, "status": 500}, dict.fromkeys(BOTH, exc.VendorUnavailableError)),
        ({"error": False, "message": "x"}, dict.fromkeys(BOTH, exc.UnexpectedResponseError)),
    ],
)  # fmt: skip
def test_an_error_inside_a_200_is_typed_as_if_its_status_had_told_it(
    name: str, body: dict[str, Any], kinds: dict[str, type[BatchDlError]]
) -> None:
    for operation, kind in kinds.items():
        with pytest.raises(BatchDlError) as caught:
            drive(flows_of(name)[operation](vendor_named(name)), lambda _: body)
        assert type(caught.value) is kind
        assert caught.value.status == 200


def test_its_code_and_words_are_kept() -> None:
    body = {"error_code": "EXPORT_LIMIT", "error_message": "Five an hour."}
    with pytest.raises(exc.InvalidRequestError, match=r"code EXPORT_LIMIT.*Five an hour") as caught:
        drive(vendor_named("batchcom").submit(submission(EXPORT)), lambda _: body)
    assert (caught.value.vendor_code, caught.value.vendor_message) == ("EXPORT_LIMIT", "Five an hour.")


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("wrapper", ["data", "result"])
def test_a_wrapper_around_a_job_is_taken_off(name: str, wrapper: str) -> None:
    body = {"success": True, "status": "ok", wrapper: shown(name, RUNNING[name])}
    job = drive(vendor_named(name).get_job(JOB_ID[name]), lambda _: body)
    assert (job.id, job.vendor_state) == (JOB_ID[name], RUNNING[name])


@pytest.mark.parametrize("name", VENDORS)
def test_an_answer_about_another_job_is_not_believed(name: str) -> None:
    other = {"revenuebase": 7, "proofy": "7", "batchcom": "export_7", "apartmentiq": UUID.replace("ed", "de")}[name]
    body = {**shown(name, DONE[name], files=[]), ID_MEMBER[name]: other}
    with pytest.raises(exc.UnexpectedResponseError, match="it is about another job") as caught:
        drive(asked_for(name, JOB_ID[name]), lambda _: body)
    assert caught.value.retryable


def asked_for(name: str, job_id: str) -> Flow[Job]:
    """A poll as the clients drive it."""
    vendor = vendor_named(name)
    return guarded(vendor, vendor.get_job(job_id))


def test_an_id_of_another_spelling_is_the_same_job() -> None:
    answer = lambda _: shown("apartmentiq", "submitted")  # noqa: E731
    assert drive(asked_for("apartmentiq", UUID.upper()), answer).id == UUID
    body = {"process_id": "41001", "status": "QUEUED"}
    assert drive(asked_for("revenuebase", "041001"), lambda _: body).id == "41001"


# --- states


@pytest.mark.parametrize("name", VENDORS)
def test_case_blanks_and_separators_do_not_count(name: str) -> None:
    vendor = vendor_named(name)
    for word, state in vendor.states.items():
        for spelling in (word.upper(), word.lower(), word.title(), f"  {word}\n", word.replace("_", "-")):
            assert vendor.state_of(spelling) is state
    job = drive(vendor.get_job(JOB_ID[name]), lambda _: shown(name, f" {DONE[name].title()} ", files=[]))
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("name", VENDORS)
def test_null_and_what_is_no_text_are_no_state(name: str) -> None:
    words: list[Any] = [None, 5, True, [], {}, "", " "]
    for word in words:
        with pytest.raises(exc.UnexpectedResponseError) as caught:
            drive(vendor_named(name).get_job(JOB_ID[name]), always(shown(name, word)))
        assert caught.value.retryable


@pytest.mark.parametrize("name", VENDORS)
def test_a_submit_without_a_status_keeps_the_id(name: str) -> None:
    file = "x.csv" if name == "revenuebase" else None
    for more in ({}, {"status": None}, {"status": ""}, {"status": 5}):
        for job_id in (UUID,) if name == "apartmentiq" else (41001, "41001"):
            body = {ID_MEMBER[name]: job_id, **more}
            job = drive(vendor_named(name).submit(submission(REQUESTS[name], file)), always(body))
            assert (job.id, job.state) == (str(job_id), JobState.PENDING)


def test_an_unknown_word_is_warned_of_again_every_hour(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(states, "_logged", set())
    now = [0.0]
    monkeypatch.setattr("airflow_provider_batchdl.vendors.states.time.monotonic", lambda: now[0])
    vendor = vendor_named("proofy")
    for hour in range(3):
        now[0] = hour * 3600.0 + 1
        for _ in range(5):
            assert vendor.state_of("ABANDONED") is JobState.RUNNING
        assert caplog.text.count("unknown job state 'ABANDONED'") == hour + 1
    assert '{"states": {"ABANDONED": "failed"}}' in caplog.text


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize("extra", [{"Given-Up": "failed", DONE[VENDORS[0]]: "RUNNING"}, '{"given_up": "FAILED"}'])
def test_the_connection_names_more_words(name: str, extra: Any) -> None:
    vendor = vendor_at("https://h.example", name, extra={"states": extra})
    assert vendor.state_of("GIVEN UP") is JobState.FAILED
    assert vendor.state_of(RUNNING[name]).is_terminal is False
    if isinstance(extra, dict) and name == VENDORS[0]:
        assert vendor.state_of(DONE[name]) is JobState.RUNNING  # it is the user who knows


@pytest.mark.parametrize(
    "extra",
    [
        *("x", 5, [], {"expired": "dead"}, {"expired": None}, {" ": "failed"}, "[" * 9999),
        {"Ex": "failed", "EX": "cancelled"},
    ],
)
def test_words_that_make_no_sense_are_refused_with_a_remedy(extra: Any) -> None:
    with pytest.raises(exc.InvalidRequestError, match=r'"states".*\{"expired": "failed"\}'):
        vendor_at("https://h.example", "proofy", extra={"states": extra})


@pytest.mark.parametrize("name", VENDORS)
def test_a_secret_in_a_state_is_not_shown(name: str) -> None:
    word = "held: https://s3.example/x?X-Amz-Signature=deadbeef"
    job = drive(vendor_named(name).get_job(JOB_ID[name]), always(shown(name, word, files=[])))
    assert (job.state, job.vendor_state) == (JobState.RUNNING, word.replace("deadbeef", "***"))


def test_an_expired_export_has_ended() -> None:
    assert vendor_named("batchcom").state_of("EXPIRED") is JobState.FAILED
    later = vendor_at("https://h.example", "batchcom", extra={"states": {"expired": "running"}})
    assert later.state_of("EXPIRED") is JobState.RUNNING


# --- lists


ODD_JSON = [b'"caf\xe9"', b'"a\tb\nc"', b"1" + b"0" * 5000, b"-1" + b"0" * 5000, b"1e999", b"NaN"]


@pytest.mark.parametrize("name", LISTS)
def test_a_member_that_is_hardly_json_does_not_spoil_the_list(name: str) -> None:
    body = json.dumps(listed(name, [{**shown(name, RUNNING[name]), "note": "odd"}])).encode()
    for odd in ODD_JSON:
        [job] = drive(vendor_named(name).list_jobs(), always(body.replace(b'"odd"', odd)))
        assert job.id == JOB_ID[name]


@pytest.mark.parametrize("name", VENDORS)
def test_nor_the_answer_about_one_job(name: str) -> None:
    member = "error_message" if name in ("batchcom", "apartmentiq") else "message"
    body = json.dumps(shown(name, RUNNING[name], **{member: "odd"})).encode()
    for odd in ODD_JSON:
        job = drive(vendor_named(name).get_job(JOB_ID[name]), always(body.replace(b'"odd"', odd)))
        assert job.vendor_state == RUNNING[name]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_thousands_that_are_no_jobs_is_refused_in_seconds(name: str) -> None:
    began = time.process_time()
    body = listed(name, [{"a": 1}] * 20_000 + [shown(name, RUNNING[name])])
    with pytest.raises(exc.UnexpectedResponseError, match="list request"):
        drive(vendor_named(name).list_jobs(), always(body))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("sick", [None, 5, "x", [], {}, {"status": "x"}, "no-id", "null-state"])
def test_a_sick_item_does_not_spoil_the_list(
    name: str, sick: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers, "_skipped_logged", set())
    sick = {"no-id": {**shown(name, "x"), ID_MEMBER[name]: None}, "null-state": shown(name, None)}.get(str(sick), sick)
    body = listed(name, [sick, shown(name, RUNNING[name]), sick])
    for _ in range(2):
        assert [job.id for job in drive(vendor_named(name).list_jobs(), lambda _: body)] == [JOB_ID[name]]
        page = drive(vendor_named(name).list_page(), lambda _: body)
        assert [each.job.id for each in page.jobs] == [JOB_ID[name]]
    assert caplog.text.count("Skipping an unreadable item") == 1


@pytest.mark.parametrize("cursor", [True, [], {}, 1.5])
def test_a_cursor_that_is_none_is_typed(cursor: Any) -> None:
    page = {"exports": [], "has_more": True, "next_from": cursor}
    with pytest.raises(exc.UnexpectedResponseError):
        drive(vendor_named("batchcom").list_jobs(), lambda _: page)


def test_a_list_of_files_is_there_empty_or_malformed() -> None:
    """`files` is required once an export has succeeded: `[]` is an empty result, null is no answer."""
    vendor = vendor_named("batchcom")
    one = [{"id": "file_1"}]
    assert len(drive(vendor.get_job("export_1"), lambda _: shown("batchcom", "SUCCESS", files=one)).files) == 1
    assert drive(vendor.get_job("export_1"), lambda _: shown("batchcom", "SUCCESS", files=[])).files == ()
    assert drive(vendor.get_job("export_1"), lambda _: shown("batchcom", "RUNNING")).files == ()
    without: list[dict[str, Any]] = [
        {},
        {"files": None},
        {"files": {}},
        {"files": "x"},
        {"files": [{}]},
        {"files": [None]},
    ]
    for more in without:
        with pytest.raises(exc.UnexpectedResponseError):
            drive(vendor.get_job("export_1"), always(shown("batchcom", "SUCCESS", **more)))


def test_the_reason_of_a_failed_export_has_its_code() -> None:
    for member in ("error_message", "error_msg"):
        item = shown("batchcom", "ERROR", error_code="X1", **{member: "Too many"})
        job = drive(vendor_named("batchcom").get_job("export_1"), always(item))
        assert job.message == "X1: Too many"


# --- cancel


def cancelled(name: str, answer: Any, then: Any) -> tuple[Any, list[str]]:
    """The job after a cancel answered so, and a poll answered so; and what was asked."""
    asked: list[str] = []

    def answers_to(request: ApiRequest) -> Any:
        asked.append(request.operation)
        return answer if request.operation == "cancel" else then

    return drive(vendor_named(name).ensure_cancelled(JOB_ID[name]), answers_to), asked


@pytest.mark.parametrize("name", CANCELLED)
@pytest.mark.parametrize(
    "answer",
    [b"", True, {}, {"message": "Job cancelled successfully"}, "OK", {"deleted": True}, b"null", [], b"Job cancelled."],
)
def test_a_cancel_that_shows_no_job_is_followed_by_a_poll(name: str, answer: Any) -> None:
    job, asked = cancelled(name, answer, shown(name, CANCELLED[name]))
    assert (job.id, job.state, asked) == (JOB_ID[name], JobState.CANCELLED, ["cancel", "status"])
    job, _ = cancelled(name, answer, shown(name, RUNNING[name]))  # it takes a moment
    assert job.state is JobState.RUNNING
    job, _ = cancelled(name, answer, shown(name, DONE[name]))  # it had ended before
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("name", CANCELLED)
@pytest.mark.parametrize("refusal", [exc.InvalidRequestError("already"), exc.UnsupportedOperationError("405")])
def test_to_cancel_what_is_cancelled_is_no_error(name: str, refusal: BatchDlError) -> None:
    job, _ = cancelled(name, refusal, shown(name, CANCELLED[name].title()))
    assert job.state is JobState.CANCELLED
    with pytest.raises(type(refusal)):
        cancelled(name, refusal, shown(name, RUNNING[name]))


@pytest.mark.parametrize("name", CANCELLED)
def test_a_page_in_place_of_a_cancels_answer_is_no_consent(name: str) -> None:
    for answer in (b"<html>Sign in</html>", {"error": True, "message": "No"}, False):
        with pytest.raises(exc.UnexpectedResponseError):
            cancelled(name, answer, shown(name, RUNNING[name]))


def test_a_job_that_is_gone_after_its_delete_was_cancelled() -> None:
    gone = exc.JobNotFoundError("gone")
    assert cancelled("proofy", b"", gone)[0].state is JobState.CANCELLED
    with pytest.raises(exc.JobNotFoundError):
        cancelled("proofy", exc.InvalidRequestError("no"), gone)


# --- results


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"error": "Something"}, exc.UnexpectedResponseError),
        ({"error": True, "message": "Not enough credits"}, exc.InsufficientCreditsError),
        ({"detail": "Not Found"}, exc.JobNotFoundError),
        ({"message": "Unauthorized"}, exc.AuthenticationError),
        ({"error_code": "SERVER_ERROR", "error_message": "Try later"}, exc.UnexpectedResponseError),
        ({"success": False}, exc.UnexpectedResponseError),
        ({"success": False, "message": "The file is not ready"}, exc.ResultNotReadyError),
        ({"error": "x", "status": 503}, exc.VendorUnavailableError),
        ({"title": "Out", "detail": "Forbidden", "type": "about:blank"}, exc.PermissionDeniedError),
    ],
)
def test_an_error_object_is_no_result(name: str, members: dict[str, Any], kind: type[BatchDlError]) -> None:
    with pytest.raises(BatchDlError) as caught:
        vendor_named(name).check_result("7", members)
    if not (name == "proofy" and "status" in members):
        assert type(caught.value) is kind
    assert (caught.value.vendor, caught.value.job_id) == (name, "7")


@pytest.mark.parametrize("name", VENDORS)
def test_where_a_job_stands_is_no_result(name: str) -> None:
    with pytest.raises(exc.ResultNotReadyError, match=RUNNING[name]):
        vendor_named(name).check_result(JOB_ID[name], shown(name, RUNNING[name], message="Wait."))


@pytest.mark.parametrize("name", VENDORS)
@pytest.mark.parametrize(
    "members",
    [
        {"status": "processing"},
        {"status": "In Progress", "progress": 40},
        {"current_status": "QUEUED", "message": None},
        {"job_id": "7", "status": "pending"},
    ],
)
def test_nor_is_it_in_the_words_of_others(name: str, members: dict[str, Any]) -> None:
    with pytest.raises(exc.ResultNotReadyError, match=str(members.get("status") or members.get("current_status"))):
        vendor_named(name).check_result("7", members)


def test_the_vendors_own_words_tell_why_there_is_no_result() -> None:
    for words, kind in (
        ("not_completed", exc.ResultNotReadyError),
        ("Job ended with an error. No output file is available.", exc.JobFailedError),
        ("Invalid `process_id` or job does not belong to your account.", exc.JobNotFoundError),
    ):
        with pytest.raises(kind):
            vendor_named("revenuebase").check_result("41001", {"error": True, "message": words})


@pytest.mark.parametrize("name", ["revenuebase", "batchcom", "apartmentiq"])
@pytest.mark.parametrize(
    "members",
    [
        {"email": "a@b.example", "status": "Valid"},
        {"property_id": 7, "error": "no lease"},
        {"identifiers": {"custom_id": "x"}, "attributes": {"error": True}},
        {"email": "a@b.example", "status": "processing", "message": "x", "error_code": 5},
        {"id": "5", "status": "in_progress"},
        {"status": 5},
        {"status": "delivered"},
        {},
    ],
)
def test_a_row_of_data_is_a_result(name: str, members: dict[str, Any]) -> None:
    vendor_named(name).check_result("7", members)


def test_what_format_a_result_has() -> None:
    job = Job("7", JobState.SUCCEEDED, "x", name="Contacts-k1.JSON")
    file = ResultFile("7", "property-7.parquet")
    assert vendor_named("revenuebase").expected_format(job, ResultFile("7")) == "json"
    assert vendor_named("revenuebase").expected_format(Job("7", job.state, "x"), ResultFile("7")) is None
    assert vendor_named("apartmentiq").expected_format(job, file) == "parquet"
    assert vendor_named("batchcom").expected_format(job, file) == "jsonl"
    assert vendor_named("proofy").expected_format(job, file) == "json"
    assert vendor_named("proofy").expected_format(Job("file:7", job.state, "x"), file) is None


def test_a_report_without_its_type_keeps_its_format() -> None:
    item = {**REPORT, **shown("apartmentiq", "succeeded"), "report_type": None}
    (file,) = drive(vendor_named("apartmentiq").get_job(UUID), lambda _: item).files
    assert file.name == f"report-{UUID}.csv"


LEVELS = [101, 990, 5_000, 200_000]
# One reader reads them all: each vendor once, and one at every level.
DEEP = [*((name, LEVELS[0]) for name in VENDORS), *(("batchcom", levels) for levels in LEVELS[1:])]


def deep(levels: int, ends: bool = True) -> bytes:
    half = levels // 2
    return b'[{"a \\" [{": ' * half + b"7" + b"}]" * (half if ends else 0)


@pytest.mark.parametrize(
    ("name", "levels"), [*((name, LEVELS[0]) for name in LISTS), *(("batchcom", n) for n in LEVELS)]
)
def test_an_item_however_deep_does_not_cost_the_list(name: str, levels: int) -> None:
    """Where the deep member is one that nobody reads, not even that item; where it is read, that item alone."""
    first, second = shown(name, RUNNING[name], request_note="odd"), shown(name, DONE[name])
    sick = {**second, ID_MEMBER[name]: "odd"}
    for items, count in (([first], 1), ([first, sick], 1), ([sick, "odd", first], 1), (["odd"], 0)):
        body = json.dumps(listed(name, items)).encode().replace(b'"odd"', deep(levels))
        found = drive(vendor_named(name).list_jobs(), always(body))
        assert [(job.id, job.vendor_state) for job in found] == [(JOB_ID[name], RUNNING[name])] * count


@pytest.mark.parametrize(
    ("name", "levels"), [*((name, LEVELS[0]) for name in VENDORS), *(("proofy", n) for n in LEVELS)]
)
def test_an_answer_about_one_job_however_deep_is_read_or_typed(name: str, levels: int) -> None:
    flow = vendor_named(name).get_job
    body = json.dumps(shown(name, RUNNING[name], note="odd", message="odd")).encode().replace(b'"odd"', deep(levels))
    assert drive(flow(JOB_ID[name]), always(body)).vendor_state == RUNNING[name]
    for body in (
        deep(levels),
        deep(levels, ends=False),
        json.dumps(shown(name, "odd")).encode().replace(b'"odd"', deep(levels)),
        json.dumps({"error": True, "message": "odd"}).encode().replace(b'"odd"', deep(levels)),
    ):
        with pytest.raises(exc.UnexpectedResponseError):
            drive(flow(JOB_ID[name]), always(body))


def test_a_text_that_looks_deep_is_a_text() -> None:
    body = json.dumps(shown("proofy", "processing", message="[{" * 5_000, note=[[]] * 200)).encode()
    assert drive(vendor_named("proofy").get_job(JOB_ID["proofy"]), always(body)).message.startswith("[{[{")


def test_a_refusal_of_a_download_names_vendor_job_and_code() -> None:
    def flow() -> Flow[None]:
        yield ApiRequest("download", "GET", "/", job_id="41001")

    request = next(flow())
    answer = httpx.Response(400, content=json.dumps({"detail": {"code": "not_completed", "message": "Wait."}}).encode())
    error = vendor_named("revenuebase").error(request, answer)
    assert (error.vendor, error.job_id, error.vendor_code) == ("revenuebase", "41001", "not_completed")


def test_the_log_of_skipped_items_is_bounded(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_skipped_logged", set())
    vendor = vendor_named("proofy")

    def refuse(item: int) -> Job:
        raise exc.UnexpectedResponseError(f"item {item}")

    with caplog.at_level(logging.WARNING):
        assert vendor.read_items(range(1000), refuse) == []
    assert caplog.text.count("Skipping an unreadable item") <= 100
