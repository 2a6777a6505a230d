"""Notes that no task of this version has left, and addresses that no link of the page has."""

from __future__ import annotations

import re

import pytest

from tests.support.ui_server import SeededJob, UiServer

# Before the days that other tests look at.
AGE = 20 * 24.0
SECRET = "9f86d081884c7d659a2feaa0c55ad0aa"
GOOD = {"vendor": "proofy", "conn_id": "proofy_default"}
WAITS = GOOD | {"job_id": "waits"}
NUMBERS = {"vendor": 5, "conn_id": 7, "job_id": 8, "state": 1, "vendor_state": 2}
LISTS = {"vendor": ["a"], "conn_id": {"x": 1}, "job_id": ["z"], "progress": "half", "landed": {"bytes": "many"}}
LATER = GOOD | {"job_id": "later", "version": 9, "error": "text", "landed": 4, "progress": {"done": 1}}
MARKUP = {"vendor": "<img src=x onerror=alert(1)>", "conn_id": '"><script>alert(2)</script>', "job_id": "'\"<x>"}
LINK = GOOD | {"job_id": "javascript:alert(3)", "job_url": "javascript:alert(4)", "conn_id": "deleted"}
FAILED = GOOD | {
    "job_id": "failed",
    "error": {"type": 5, "message": ["a"], "remedy": {"a": 1}, "vendor_message": f"https://x.example/?sig={SECRET} no"},
}
LONG = GOOD | {"job_id": "long", "message": "m" * 200_000}
LANDING = {
    "job_id": "landed",
    "vendor": "proofy",
    "seconds": [1],
    "verified_by": 4,
    "files": [{"uri": 4, "bytes": 2, "sha256": 7, "rows": "x"}, 4, {"uri": "s3://lake/a.csv"}],
}
NOTES = {"numbers": NUMBERS, "lists": LISTS, "later": LATER, "markup": MARKUP, "link": LINK, "failed": FAILED}
# PostgreSQL refuses half a character; SQLite and MySQL hold it.
HALF = GOOD | {"job_id": "j\ud83d", "message": "x\ud800"}
NOTES |= {"long": LONG, "half": HALF}


def odd_jobs() -> list[SeededJob]:
    """What is in the database beside the jobs of the other tests."""
    notes = {"list": [], "empty": {}, "number": 5, **NOTES}
    seeded = [SeededJob(note=note, dag_id="odd", run_id=name, hours_ago=AGE) for name, note in notes.items()]
    record = {"submitted_at": 5, "known_job_ids": 7, "job_id": [1]}
    xcoms = {"return_value": LANDING}
    seeded.append(SeededJob(note=GOOD, dag_id="odd", run_id="landed", hours_ago=AGE, xcoms=xcoms, record=record))
    for number, deadline in enumerate(("never", 1e300, -5)):
        facts = {"conn_id": "x", "job_id": "y", "poll_interval": "soon", "deadline": deadline}
        wait = SeededJob(
            note=WAITS, dag_id="odd", run_id=f"wait-{number}", state="deferred", trigger=facts, hours_ago=AGE
        )
        seeded.append(wait)
    return seeded


def shown(server: UiServer, path: str, status: int = 200) -> str:
    with server.browser() as browser:
        answer = browser.get(path)
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def test_the_list_shows_them_all(server: UiServer) -> None:
    page = shown(server, "/?dag_id=odd&days=30")
    assert len(re.findall(r'<td class="path"><a href="/batchdl/job/odd/', page)) == len(odd_jobs())
    assert "alert(" in page
    assert not re.search(r"<(?:script|img)[^>]*>\s*alert|onerror=alert\(1\)>", page)
    assert 'href="javascript:' not in page
    assert SECRET not in page
    assert "j\ufffd" in page
    assert len(page) < 100_000


@pytest.mark.parametrize("run_id", [job.run_id for job in odd_jobs()])
def test_its_own_page(server: UiServer, run_id: str) -> None:
    page = shown(server, f"/job/odd/{run_id}/land/-1")
    assert 'href="javascript:' not in page
    assert "<script>" not in page
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
    shown(server, path, status)
