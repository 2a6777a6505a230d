"""The list of jobs, over HTTP, from a real API server."""

from __future__ import annotations

import re

import pytest

from tests.support.ui_server import UiServer
from tests.ui.conftest import SIGNATURE

# Of five days ago, and of twenty (tests/ui/test_odd_notes.py).
OLD_WAITS = ["p-2", "waits", "waits", "waits"]


def shown(server: UiServer, query: str = "", user: str | None = "admin") -> str:
    with server.browser(user) as browser:
        answer = browser.get(f"/{query}")
    assert answer.status_code == 200, answer.text
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
    assert job_ids(shown(server, query)) == expected


def test_words_of_others_are_text(server: UiServer) -> None:
    page = shown(server)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_connections_with_their_jobs(server: UiServer) -> None:
    page = shown(server)
    assert "5 connections" in page
    assert "proofy_unused" in page
    assert "pf_hidden_password" not in page


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
        assert path in browser.get("/").text or "icon" in path


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
