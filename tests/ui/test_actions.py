"""Ask now, and cancel: who may, from where, and what reaches the vendor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator
from tests.support.ui_server import PRIVATE_DAG, SeededJob, UiServer, ui_server

PATH = "/job/nightly/scheduled__2026-11-28T22:00:00+00:00"
RUNNING = {"vendor": "apartmentiq", "conn_id": "apartmentiq_default", "vendor_state": "queued"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Emulator]:
    with Emulator(port=0) as running:
        running.world.run_seconds = 3600
        yield running


@pytest.fixture(scope="module")
def jobs(vendor: Emulator) -> dict[str, EmulatedJob]:
    names = ("asked", "cancelled", "kept", "foreign")
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
    connections = {conn_id: json.dumps(each) for conn_id, each in vendor.connections().items()}
    with ui_server(tmp_path_factory.mktemp("home"), seeded, connections, NO_PROXY="*") as running:
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
        answer = post(browser, f"{PATH}/asked/-1/ask", token_of(page))
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
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_site(acting: UiServer, jobs: dict[str, EmulatedJob], headers: dict[str, str]) -> None:
    with acting.browser() as browser:
        token = token_of(browser.get(f"{PATH}/kept/-1/cancel").text)
        assert post(browser, f"{PATH}/kept/-1/cancel", token, **headers).status_code == 403
    assert not is_cancelled(jobs["kept"])


def test_a_token_is_of_one_session_action_and_job(acting: UiServer, jobs: dict[str, EmulatedJob]) -> None:
    path = f"{PATH}/kept/-1"
    with acting.browser("op") as other:
        foreign = token_of(other.get(f"{path}/cancel").text)
    with acting.browser() as browser:
        tokens = [token_of(browser.get(path).text), token_of(browser.get(f"{PATH}/asked/-1/cancel").text)]
        for token in (foreign, *tokens, ""):
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
