"""One job's own page."""

from __future__ import annotations

import re

import pytest

from tests.support.airflow_features import needs_task_state_store
from tests.support.ui_server import UiServer

LANDED = "/job/nightly/scheduled__2026-11-28T22:00:00+00:00/land/-1"


def shown(server: UiServer, path: str, user: str = "admin") -> str:
    with server.browser(user) as browser:
        answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_landed_job(server: UiServer) -> None:
    page = shown(server, LANDED)
    assert "Job 41001" in page
    assert "s3://aws_default@lake/october/verified.csv" in page
    assert "content-length; 39.0 s, resumed: 1" in page
    assert "Try 1 started" in page
    assert "Try 1 ended: success" in page
    assert "Results landed" in page


def test_at_the_address_that_airflow_makes_for_a_tab(server: UiServer) -> None:
    assert "Job 41001" in shown(server, LANDED.replace("/-1", "/{MAP_INDEX}"))


@needs_task_state_store
def test_the_tasks_record_of_its_submits(server: UiServer) -> None:
    page = shown(server, LANDED)
    assert "Job 41001 submitted" in page
    assert "40990" in page


def test_a_failed_job_says_why_and_what_to_do(server: UiServer) -> None:
    page = shown(server, "/job/contacts/scheduled__2026-11-28T22:00:00+00:00/land/-1")
    assert "Why it did not land" in page
    assert page.index("Try 1 ended: failed") < page.index("Try 2 ended: failed")
    assert "JobFailedError" in page
    assert "attribute $email_adress is unknown" in page
    assert "What to do: Correct the request, then clear the task." in page


def test_a_waiting_job_says_until_when(server: UiServer) -> None:
    page = shown(server, "/job/contacts/manual__1/land/-1")
    assert "polled at least 30.0 s apart, until 2026-11-18" in page
    assert "almost (97 %)" in page
    assert re.search(r"the last that is noted \S+ \S+ UTC \(\d+ \w+ ago\), the next planned for", page)


def test_a_wait_whose_polls_are_not_noted_says_so(server: UiServer) -> None:
    assert "not known here yet" in shown(server, "/job/odd/wait-0/land/-1")


def test_a_note_that_is_stored_elsewhere(server: UiServer) -> None:
    assert "No job submitted" in shown(server, "/job/contacts/manual__3/land/-1")


@pytest.mark.parametrize("path", ["/job/contacts/other/land/-1", "/job/contacts/manual__1/land/3", "/job/no/no/no/-1"])
def test_what_has_no_note_is_not_found(server: UiServer, path: str) -> None:
    with server.browser() as browser:
        answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is no such job" in answer.text


def test_the_audit_log_and_assets_have_rights_of_their_own(server: UiServer) -> None:
    page = shown(server, LANDED)
    assert "set_note by alice" in page
    assert ">s3://lake/october<" in page
    page = shown(server, LANDED, "narrow")
    assert "Job 41001" in page
    assert "alice" not in page
    assert "s3://lake/october<" not in page


def test_who_may_not_read_the_dag_is_refused(server: UiServer) -> None:
    path = "/job/private/scheduled__2026-11-28T22:00:00+00:00/land/-1"
    assert "secret-job" in shown(server, path)
    with server.browser("stranger") as browser:
        answer = browser.get(path)
    assert answer.status_code == 403
    assert "secret-job" not in answer.text
