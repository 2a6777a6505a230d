"""Ask now, and cancel: who may, from where, and what reaches the vendor."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, Fault
from tests.support.airflow_features import needs_task_state_store
from tests.support.ui_server import PRIVATE_CONNECTION, PRIVATE_DAG, SeededJob, UiServer, ui_server

RUN = "scheduled__2026-11-28T22:00:00+00:00"
PATH = f"/job/nightly/{RUN}"
RUNNING = {"vendor": "apartmentiq", "conn_id": "apartmentiq_default", "vendor_state": "queued"}
ORIGIN = "https://airflow.example"
SUBMITTED = {"generation": 0, "key": "k", "submitted_at": "2026-11-28T22:00:03Z"}


def tasks_with_other_jobs(theirs: str) -> dict[str, SeededJob]:
    """Tasks whose notes name somebody else's job, by what says so; at "account" the id is the same."""
    note = RUNNING | {"job_id": theirs}
    landing = {"job_id": "ours", "vendor": "apartmentiq", "files": []}
    return {
        "wait": SeededJob(note, trigger={"conn_id": "apartmentiq_default", "job_id": "ours"}),
        "connection": SeededJob(note, trigger={"conn_id": "batchcom_default", "job_id": theirs}),
        "landing": SeededJob(note, xcoms={"return_value": landing}),
        "record": SeededJob(note, record=SUBMITTED | {"job_id": "ours", "conn_id": "apartmentiq_default"}),
        "account": SeededJob(note, record=SUBMITTED | {"job_id": theirs, "conn_id": "batchcom_default"}),
    }


@pytest.fixture(scope="module")
def vendor() -> Iterator[Emulator]:
    with Emulator(port=0) as running:
        running.world.run_seconds = 3600
        yield running


@pytest.fixture(scope="module")
def jobs(vendor: Emulator) -> dict[str, EmulatedJob]:
    names = ("asked", "cancelled", "kept", "foreign", "agreed", "ended", "down")
    return {name: vendor.add_job("apartmentiq", state="running") for name in names}


@pytest.fixture(scope="module")
def acting(
    vendor: Emulator, jobs: dict[str, EmulatedJob], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[UiServer]:
    seeded = [
        SeededJob(
            note=RUNNING | {"job_id": job.id},
            task_id=name,
            state="deferred",
            hours_ago=1,
            dag_id=PRIVATE_DAG if name == "foreign" else "nightly",
        )
        for name, job in jobs.items()
    ]
    seeded.append(SeededJob(note=RUNNING, task_id="unsubmitted", state="failed"))
    agreed = next(each for each in seeded if each.task_id == "agreed")
    agreed.trigger = {"conn_id": "apartmentiq_default", "job_id": jobs["agreed"].id}
    agreed.record = SUBMITTED | agreed.trigger
    for name, task in tasks_with_other_jobs(jobs["kept"].id).items():
        seeded.append(replace(task, task_id=name, state="deferred" if task.trigger else "running", hours_ago=1))
    in_private = RUNNING | {"job_id": jobs["kept"].id, "conn_id": PRIVATE_CONNECTION}
    seeded.append(SeededJob(note=in_private, task_id="private", state="running"))
    connections = {conn_id: json.dumps(each) for conn_id, each in vendor.connections().items()}
    connections[PRIVATE_CONNECTION] = connections["apartmentiq_default"]
    # Behind a proxy that ends TLS, and below a path of its host.
    settings = {"AIRFLOW__API__BASE_URL": f"{ORIGIN}/team", "NO_PROXY": "*"}
    settings["AIRFLOW__CORE__TEST_CONNECTION"] = "Enabled"
    with ui_server(tmp_path_factory.mktemp("home"), seeded, connections, **settings) as running:
        yield running


def token_of(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found
    return found[1]


def post(browser: httpx.Client, path: str, token: str, **headers: str) -> httpx.Response:
    return browser.post(path, data={"form_token": token}, headers=headers)


def is_cancelled(job: EmulatedJob) -> bool:
    return job.cancelled


def test_ask_now(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    with acting.browser() as browser:
        page = browser.get(f"{PATH}/asked/-1").text
        answer = post(browser, f"{PATH}/asked/-1/ask", token_of(page), Origin=ORIGIN)
    assert answer.status_code == 200
    assert "The vendor&#39;s answer" in answer.text
    assert "(running)" in answer.text


def test_cancel_asks_first_and_is_recorded(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    with acting.browser() as browser:
        assert "Cancel the job…" in browser.get(f"{PATH}/cancelled/-1").text
        asked = browser.get(f"{PATH}/cancelled/-1/cancel")
        assert jobs["cancelled"].id in asked.text
        assert not is_cancelled(jobs["cancelled"])
        done = post(browser, f"{PATH}/cancelled/-1/cancel", token_of(asked.text))
        assert done.status_code == 200
        assert "Cancelled" in done.text
        assert is_cancelled(jobs["cancelled"])
        assert "batchdl.cancel_job by admin" in browser.get(f"{PATH}/cancelled/-1").text


def test_who_may_not_change_the_dag_gets_neither(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    with acting.browser("viewer") as browser:
        page = browser.get(f"{PATH}/kept/-1")
        assert jobs["kept"].id in page.text
        assert "form_token" not in page.text
        assert browser.get(f"{PATH}/kept/-1/cancel").status_code == 403
        for action in ("ask", "cancel"):
            assert post(browser, f"{PATH}/kept/-1/{action}", "0" * 64).status_code == 403
    assert not is_cancelled(jobs["kept"])


def test_links_are_below_the_path_of_the_base_url(acting: UiServer) -> None:
    with acting.browser() as browser:
        for path in ("/?dag_id=nightly", f"{PATH}/kept/-1", f"{PATH}/kept/-1/cancel", "/job/no/no/no/-1"):
            links = re.findall(r'(?:href|src|action)="(/[^"]*)"', browser.get(path).text)
            assert links
            assert [link for link in links if not link.startswith("/team/")] == []
        assert browser.get(f"{acting.url}/batchdl/static/ui.css").status_code == 200


def test_of_a_dag_that_one_may_not_see(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    path = PATH.replace("nightly", PRIVATE_DAG)
    with acting.browser("stranger") as browser:
        assert post(browser, f"{path}/foreign/-1/cancel", "0" * 64).status_code == 403
    assert not is_cancelled(jobs["foreign"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_site(acting: UiServer, jobs: dict[str, EmulatedJob], headers: dict[str, str]) -> None:
    with acting.browser() as browser:
        token = token_of(browser.get(f"{PATH}/kept/-1/cancel").text)
        refused = post(browser, f"{PATH}/kept/-1/cancel", token, **headers)
        assert (refused.status_code, "set [api] base_url" in refused.text) == (403, "Origin" in headers)
    assert not is_cancelled(jobs["kept"])


def test_a_token_is_of_one_session_action_and_job(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    path = f"{PATH}/kept/-1"
    with acting.browser("op") as other:
        foreign = token_of(other.get(f"{path}/cancel").text)
    with acting.browser() as browser:
        tokens = [token_of(browser.get(path).text), token_of(browser.get(f"{PATH}/asked/-1/cancel").text)]
        for token in (foreign, *tokens, "", "é" * 64):
            assert post(browser, f"{path}/cancel", token).status_code == 403
    assert not is_cancelled(jobs["kept"])


def test_what_was_never_submitted_cannot_be_cancelled(acting: UiServer) -> None:
    with acting.browser() as browser:
        assert browser.get(f"{PATH}/unsubmitted/-1/cancel").status_code == 409


def test_a_connection_is_asked(acting: UiServer) -> None:
    with acting.browser() as browser:
        token = token_of(browser.get("/").text)
        form = {"form_token": token, "conn_id": "revenuebase_default"}
        answer = browser.post("/connection/ask", data=form)
        assert answer.status_code == 200
        assert "Connection revenuebase_default: works" in answer.text
    with acting.browser("viewer") as browser:
        token = token_of(browser.get("/").text)
        assert browser.post("/connection/ask", data=form | {"form_token": token}).status_code == 403


def own_token(server: UiServer, user: str, action: str, task_id: str, conn_id: str, job_id: str) -> str:
    """The token that the page would give a user, who could make it without the page, too."""
    facts = (action, "nightly", RUN, task_id, "-1", conn_id, job_id)
    return hmac.new(server.tokens[user].encode(), "\0".join(facts).encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("user", "task_id", "conn_id"),
    [("user", "kept", "apartmentiq_default"), ("stranger", "private", PRIVATE_CONNECTION)],
    ids=["of no connection", "not of this one"],
)
def test_who_may_not_read_the_connection_gets_neither(
    acting: UiServer, vendor: Emulator, jobs: dict[str, EmulatedJob], user: str, task_id: str, conn_id: str
) -> None:
    why = f"need the right to read connection {conn_id}."
    sent = len(vendor.requests)
    with acting.browser(user) as browser:
        page = browser.get(f"{PATH}/{task_id}/-1").text
        assert jobs["kept"].id in page
        assert why in page
        assert "form_token" not in page
        confirmation = browser.get(f"{PATH}/{task_id}/-1/cancel")
        assert (confirmation.status_code, why in confirmation.text) == (403, True)
        for action in ("ask", "cancel"):
            token = own_token(acting, user, action, task_id, conn_id, jobs["kept"].id)
            refused = post(browser, f"{PATH}/{task_id}/-1/{action}", token)
            assert (refused.status_code, why in refused.text) == (403, True)
    assert len(vendor.requests) == sent
    with acting.browser("op") as browser:  # who may
        assert "form_token" in browser.get(f"{PATH}/{task_id}/-1").text


@pytest.mark.parametrize(
    "where", ["wait", "connection", "landing", pytest.param("record", marks=needs_task_state_store)]
)
def test_a_note_that_names_another_job_than_the_task_has(
    acting: UiServer, vendor: Emulator, jobs: dict[str, EmulatedJob], where: str
) -> None:
    """Anybody who may write XComs can write a note, and wait for an admin to press the button."""
    why = f"and its {'wait' if where == 'connection' else where} another: nothing is sent."
    sent = len(vendor.requests)
    with acting.browser() as browser:
        page = browser.get(f"{PATH}/{where}/-1").text
        assert why in page
        assert "form_token" not in page
        for action in ("ask", "cancel"):
            token = own_token(acting, "admin", action, where, "apartmentiq_default", jobs["kept"].id)
            refused = post(browser, f"{PATH}/{where}/-1/{action}", token)
            assert (refused.status_code, why in refused.text) == (409, True)
    assert len(vendor.requests) == sent


@needs_task_state_store
def test_a_note_that_names_another_account_than_the_record(
    acting: UiServer, vendor: Emulator, jobs: dict[str, EmulatedJob]
) -> None:
    sent = len(vendor.requests)
    with acting.browser() as browser:
        for action in ("ask", "cancel"):
            token = own_token(acting, "admin", action, "account", "apartmentiq_default", jobs["kept"].id)
            answer = post(browser, f"{PATH}/account/-1/{action}", token)
            assert answer.status_code == 200
            assert "submitted its job to another account" in answer.text
    assert len(vendor.requests) == sent


def test_what_the_record_and_the_wait_agree_on_is_asked_for(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    with acting.browser() as browser:
        token = token_of(browser.get(f"{PATH}/agreed/-1").text)
        assert token == own_token(acting, "admin", "ask", "agreed", "apartmentiq_default", jobs["agreed"].id)
        assert "(running)" in post(browser, f"{PATH}/agreed/-1/ask", token).text
        # The connection is part of what the form has shown.
        token = own_token(acting, "admin", "ask", "agreed", "batchcom_default", jobs["agreed"].id)
        assert post(browser, f"{PATH}/agreed/-1/ask", token).status_code == 403


def test_a_job_that_has_ended_is_not_called_cancelled(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    jobs["ended"].finish()
    with acting.browser() as browser:
        token = token_of(browser.get(f"{PATH}/ended/-1/cancel").text)
        answer = post(browser, f"{PATH}/ended/-1/cancel", token).text
    assert "It had ended: nothing was cancelled" in answer
    assert "(succeeded)" in answer


def test_a_vendor_that_is_down_is_asked_once(acting: UiServer, vendor: Emulator, jobs: dict[str, EmulatedJob]) -> None:
    """A thread of the API server, of which there are few, waits for it."""
    down = [
        Fault("status", vendor="apartmentiq", operation="status", path_contains=jobs["down"].id, times=99),
        Fault("status", vendor="revenuebase", operation="balance", after=1, times=99),
    ]
    for fault in down:
        vendor.add_fault(fault)
    sent = len(vendor.requests)
    with acting.browser() as browser:
        for action in ("ask", "cancel"):
            token = own_token(acting, "admin", action, "down", "apartmentiq_default", jobs["down"].id)
            answer = post(browser, f"{PATH}/down/-1/{action}", token).text
            assert "That did not work" in answer
            assert "VendorUnavailableError" in answer
        form = {"form_token": token_of(browser.get("/").text), "conn_id": "revenuebase_default"}
        assert "VendorUnavailableError" in browser.post("/connection/ask", data=form).text
    asked = [(request.vendor, request.operation) for request in vendor.requests[sent:] if request.operation != "token"]
    assert asked == [("apartmentiq", "status")] * 2 + [("revenuebase", "balance")] * 2
    vendor.clear_faults()
