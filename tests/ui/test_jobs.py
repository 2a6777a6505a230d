"""The list of jobs and each job's own page, over HTTP, from a real API server."""

from __future__ import annotations

import re

import pytest

from airflow_provider_batchdl import __version__
from tests.support.airflow_features import needs_task_state_store
from tests.support.ui_server import UiServer
from tests.ui.seeds import SECRET, SIGNATURE, odd_jobs

# Of five days ago, and of twenty (the odd ones).
OLD_WAITS = ["p-2", "waits", "waits", "waits"]
LANDED_PATH = "/job/nightly/scheduled__2026-11-28T22:00:00+00:00/land/-1"


def shown(server: UiServer, path: str = "/", user: str | None = "admin", status: int = 200) -> str:
    with server.browser(user) as browser:
        answer = browser.get(path)
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def job_ids(page: str) -> list[str]:
    """The jobs of a page, in order."""
    return re.findall(r'<td class="path"><a href="/batchdl/job/[^"]+">([^<]+)</a>', page)


def test_jobs_of_the_last_days_the_newest_first_and_all_that_wait(server: UiServer) -> None:
    page = shown(server)
    recent = ["p-1", "not submitted", "not submitted", "exp-7", "41001", "secret-job"]
    assert job_ids(page) == [*recent, *OLD_WAITS]
    assert "10 jobs, page 1 of 1" in page


def test_what_a_row_says(server: UiServer) -> None:
    page = shown(server)
    assert "97 %" in page
    assert "almost" in page
    assert "4.0 GB, 31,250,118 rows" in page
    assert "s3://aws_default@lake/october/" in page
    assert "attribute $email_adress is unknown" in page
    assert 'href="/dags/nightly/runs/scheduled__2026-11-28T22%3A00%3A00%2B00%3A00/tasks/land"' in page
    # As Airflow's page writes it in its own address, or it would load the frame again.
    assert 'href="/batchdl/job/nightly/scheduled__2026-11-28T22:00:00+00:00/land/-1"' in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?vendor=proofy", ["p-1", "not submitted", *OLD_WAITS]),
        ("?conn_id=batchcom_default", ["exp-7"]),
        ("?dag_id=nightly", ["41001"]),
        ("?dag_id=nightly&task_id=land", ["41001"]),
        ("?task_id=other", []),
        ("?job_id=%20exp-7", ["exp-7"]),
        ("?job_id=exp", []),
        ("?state=failed", ["exp-7"]),
        ("?state=waiting", ["p-1", *OLD_WAITS]),
        ("?state=retrying", ["not submitted"]),
        ("?state=done&vendor=revenuebase", ["41001"]),
        ("?state=other", ["not submitted"]),
        ("?days=7&vendor=proofy", ["p-1", "not submitted", "p-2", "p-0", *OLD_WAITS[1:]]),
        ("?vendor=nobody", []),
        ("?vendor='%20OR%201=1%20--", []),
        ("?page=2", []),
    ],
)
def test_filters(server: UiServer, query: str, expected: list[str]) -> None:
    assert job_ids(shown(server, f"/{query}")) == expected


def test_words_of_others_are_text(server: UiServer) -> None:
    page = shown(server)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_connections_with_their_jobs(server: UiServer) -> None:
    page = shown(server)
    assert "5 connections" in page
    assert "proofy_unused" in page
    assert "pf_hidden_password" not in page


def test_no_connection_is_tested_where_airflow_tests_none(server: UiServer) -> None:
    """It does so where ``[core] test_connection`` is Enabled, which is not its default."""
    assert "/connection/ask" not in shown(server)
    with server.browser() as browser:
        refused = browser.post("/connection/ask", data={"conn_id": "proofy_default", "form_token": "0" * 64})
    assert (refused.status_code, "[core] test_connection = Enabled" in refused.text) == (403, True)


def test_the_last_answer_and_the_requests_of_a_connection(server: UiServer) -> None:
    page = shown(server)
    assert "20 of 60 in 60 s" in page
    assert ">JobFailedError</a>" in page
    assert ">not known here<" in page
    assert "19 of 60 in 60 s" in shown(server, user="stranger")


def test_who_may_not_see_connections_sees_those_of_jobs(server: UiServer) -> None:
    page = shown(server, user="viewer")
    assert "proofy_unused" not in page
    assert "proofy_default" in page


def test_who_may_not_read_a_dag_does_not_see_its_jobs(server: UiServer) -> None:
    page = shown(server, user="stranger")
    assert job_ids(page) == ["p-1", "not submitted", "not submitted", "exp-7", "41001", *OLD_WAITS]
    assert "9 jobs" in page
    assert "apartmentiq" not in page
    with server.browser("stranger") as browser:
        assert browser.get("/?dag_id=private").status_code == 403


def test_without_a_session_nothing_is_shown(server: UiServer) -> None:
    with server.browser(None) as browser:
        for path in ("/", "/job/nightly/scheduled__2026-11-28T22:00:00+00:00/land/-1"):
            answer = browser.get(path)
            assert answer.status_code == 401
            assert "41001" not in answer.text


def test_headers_forbid_what_is_not_ours(server: UiServer) -> None:
    with server.browser() as browser:
        for path in ("/", "/job/a/b/c/-1", "/job/a/b/c/x"):
            headers = browser.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'self'" in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/ui.css", "/static/ui.js", "/static/icon.svg", "/static/icon-dark.svg"])
def test_static_files(server: UiServer, path: str) -> None:
    with server.browser() as browser:
        assert browser.get(path).status_code == 200
        # After an upgrade, no browser may take an old file from its cache.
        assert f"{path}?{__version__}" in browser.get("/").text or "icon" in path


def test_no_signature_is_shown(server: UiServer) -> None:
    with server.browser() as browser:
        text = browser.get("/").text + browser.get("/job/contacts/manual__1/land/-1").text
    assert "https://files.example/x.csv" in text
    assert SIGNATURE not in text


def test_airflow_shows_it_in_its_menu(server: UiServer) -> None:
    with server.browser() as browser:
        plugins = browser.get(f"{server.url}/api/v2/plugins").json()["plugins"]
    [ours] = [each for each in plugins if each["name"] == "batchdl"]
    [view] = [each for each in ours["external_views"] if each["destination"] == "nav"]  # Airflow 3.4 has tabs, too
    assert (view["name"], view["href"]) == ("Batch jobs", "/batchdl/")
    assert [app["url_prefix"] for app in ours["fastapi_apps"]] == ["/batchdl"]


# --- one job's own page


def test_a_landed_job(server: UiServer) -> None:
    page = shown(server, LANDED_PATH)
    assert "Job 41001" in page
    assert "s3://aws_default@lake/october/verified.csv" in page
    assert "content-length; 39.0 s, resumed: 1" in page
    assert "Try 1 started" in page
    assert "Try 1 ended: success" in page
    assert "Results landed" in page


def test_at_the_address_that_airflow_makes_for_a_tab(server: UiServer) -> None:
    assert "Job 41001" in shown(server, LANDED_PATH.replace("/-1", "/{MAP_INDEX}"))


@needs_task_state_store
def test_the_tasks_record_of_its_submits(server: UiServer) -> None:
    page = shown(server, LANDED_PATH)
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
    page = shown(server, LANDED_PATH)
    assert "set_note by alice" in page
    assert ">s3://lake/october<" in page
    page = shown(server, LANDED_PATH, "narrow")
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


# --- notes that no task of this version has left, and addresses that no link of the page has


def test_the_list_shows_them_all(server: UiServer) -> None:
    page = shown(server, "/?dag_id=odd&days=30")
    assert len(re.findall(r'<td class="path"><a href="/batchdl/job/odd/', page)) == len(odd_jobs())
    assert "alert(" in page
    assert not re.search(r"<(?:script|img)[^>]*>\s*alert|onerror=alert\(1\)>", page)
    assert 'href="javascript:' not in page
    assert SECRET not in page
    assert "j\ufffd" in page
    assert "a\ufffd1" in page
    assert len(re.findall(r"1 of \d+ in 60 s", page)) == 5
    assert len(page) < 100_000


@pytest.mark.parametrize("run_id", [job.run_id for job in odd_jobs()])
def test_its_own_page(server: UiServer, run_id: str) -> None:
    page = shown(server, f"/job/odd/{run_id}/land/-1")
    assert 'href="javascript:' not in page
    assert "<script>" not in page
    assert not re.search("[\x1b\x9b\u202e\u2066]", page)
    assert SECRET not in page


def test_what_of_a_landing_can_be_read_is_shown(server: UiServer) -> None:
    assert "s3://lake/a.csv" in shown(server, "/job/odd/landed/land/-1")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?page=-1", 422),
        ("/?page=99999999999999999999", 422),
        ("/?days=x", 422),
        ("/?vendor=%00", 200),
        ("/?conn_id=%00", 200),
        ("/?dag_id=%00", 404),
        ("/?state=%00", 200),
        ("/?vendor=%ED%A0%80", 200),
        ("/job/a/b/c/99999999999999999999", 422),
        ("/job/a/b/c/-2", 422),
        ("/job/%00/b/c/-1", 404),
        ("/job/odd/%00/land/-1", 404),
        ("/job/odd/%ED%A0%80/land/-1", 404),
        ("/job/odd/numbers/land/-1/ask", 405),
    ],
)
def test_addresses(server: UiServer, path: str, status: int) -> None:
    shown(server, path, status=status)
