"""NeverBounce's bulk verification, as its API reference describes it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ManualClock, ResultSpec

from .helpers import client, post

INPUT: dict[str, Any] = {
    "input_location": "supplied",
    "input": [["a@b.example"], {"email": "c@d.example"}, "e@f.example"],
}


@pytest.fixture
def neverbounce(emulator: Emulator) -> Any:
    with client(emulator, "neverbounce") as api:
        yield api


def create(api: httpx.Client, **more: Any) -> str:
    answer = api.post("/v4.2/jobs/create", json={**INPUT, "auto_parse": True, "auto_start": True, **more}).json()
    assert answer["status"] == "success", answer
    return str(answer["job_id"])


def status_of(api: httpx.Client, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get("/v4.2/jobs/status", params={"job_id": job_id}).json()
    return answer


def test_a_job_from_addresses_to_rows(neverbounce: httpx.Client, clock: ManualClock) -> None:
    job_id = create(neverbounce, filename="k1.csv")
    seen = []
    for seconds in (0, 5, 10, 15):
        clock.advance(seconds)
        seen.append(status_of(neverbounce, job_id)["job_status"])
    assert seen == ["queued", "parsing", "running", "complete"]
    done = status_of(neverbounce, job_id)
    assert (done["total"]["records"], done["percent_complete"], done["filename"]) == (3, 100, "k1.csv")
    answer = neverbounce.get("/v4.2/jobs/download", params={"job_id": job_id})
    assert answer.text.splitlines()[0] == "email,email_status"
    assert [line.partition(",")[0] for line in answer.text.splitlines()[1:]] == [
        "a@b.example",
        "c@d.example",
        "e@f.example",
    ]


def test_a_job_waits_to_be_started(neverbounce: httpx.Client, clock: ManualClock) -> None:
    job_id = create(neverbounce, auto_start=False)
    clock.advance(99)
    assert status_of(neverbounce, job_id)["job_status"] == "waiting"
    assert neverbounce.post("/v4.2/jobs/start", json={"job_id": int(job_id)}).json()["status"] == "success"
    clock.advance(30)
    assert status_of(neverbounce, job_id)["job_status"] == "complete"


def test_a_file_at_a_url(emulator: Emulator, neverbounce: httpx.Client, clock: ManualClock) -> None:
    key = emulator.credentials["neverbounce"].password
    fields = {"key": key, "input_location": "remote_url", "input": "https://x.example/a.csv", "auto_start": "1"}
    made = post(f"{emulator.urls['neverbounce']}/v4.2/jobs/create", data=fields).json()
    clock.advance(30)
    assert status_of(neverbounce, str(made["job_id"]))["total"]["records"] == 10


def test_the_list_has_pages_and_filters(emulator: Emulator, neverbounce: httpx.Client) -> None:
    ids = [int(create(neverbounce, filename=f"{number}.csv")) for number in range(3)][::-1]
    first = neverbounce.get("/v4.2/jobs/search", params={"items_per_page": 2}).json()
    assert ([job["id"] for job in first["results"]], first["total_pages"]) == (ids[:2], 2)
    second = neverbounce.get("/v4.2/jobs/search", params={"items_per_page": 2, "page": 2}).json()
    assert [job["id"] for job in second["results"]] == ids[2:]
    [found] = neverbounce.get("/v4.2/jobs/search", params={"filename": "1.csv"}).json()["results"]
    assert (found["id"], found["status"]) == (ids[1], "queued")
    emulator.add_fault(Fault("endless_list", vendor="neverbounce", operation="list"))
    assert neverbounce.get("/v4.2/jobs/search", params={"page": 7}).json()["total_pages"] == 8


def test_more_jobs_than_run_at_a_time(emulator: Emulator, neverbounce: httpx.Client) -> None:
    for _ in range(11):
        emulator.add_job("neverbounce", state="running")
    create(neverbounce)
    found = neverbounce.get("/v4.2/jobs/search", params={"items_per_page": 100}).json()["results"]
    assert (len(found), found[0]["status"], found[0]["started_at"]) == (12, "queued", None)


def test_errors_are_200s(emulator: Emulator, neverbounce: httpx.Client) -> None:
    running = create(neverbounce)
    emulator.add_fault(Fault("status", vendor="neverbounce", operation="list", status=429))
    emulator.add_fault(Fault("status", vendor="neverbounce", operation="balance", status=503))
    for answer, status in (
        (neverbounce.get("/v4.2/jobs/search"), "throttle_triggered"),
        (neverbounce.get("/v4.2/account/info"), "temp_unavail"),
        (neverbounce.get("/v4.2/account/info", params={"key": "wrong"}), "auth_failure"),
        (neverbounce.post("/v4.2/jobs/create", json={"input_location": "x"}), "general_failure"),
        (neverbounce.post("/v4.2/jobs/create", json={"input_location": "supplied"}), "general_failure"),
        (neverbounce.get("/v4.2/jobs/status", params={"job_id": "1"}), "general_failure"),
        (neverbounce.get("/v4.2/jobs/download", params={"job_id": running}), "general_failure"),
    ):
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert answer.json()["message"]
    emulator.add_fault(Fault("status", vendor="neverbounce", status=500))
    assert neverbounce.get("/v4.2/jobs/search").status_code == 500


def test_credits_are_taken(emulator: Emulator, neverbounce: httpx.Client, clock: ManualClock) -> None:
    create(neverbounce)
    emulator.add_job("neverbounce", ResultSpec(bytes=9_000))
    emulator.set_credits("neverbounce", 10)
    clock.advance(30)
    info = neverbounce.get("/v4.2/account/info").json()
    assert info["credits_info"]["paid_credits_remaining"] == 7
    assert info["job_counts"]["completed"] == 2
