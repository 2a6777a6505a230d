from __future__ import annotations

import json

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ManualClock, ResultSpec

from .helpers import client, get, link_of, sha256

REQUEST = {"export_type": "ATTRIBUTES", "attributes": ["$email_address"], "identifiers": ["custom_id"]}


def test_an_export_from_end_to_end(emulator: Emulator, batchcom: httpx.Client, clock: ManualClock) -> None:
    created = batchcom.post("/profiles/export", json=REQUEST)
    assert created.status_code == 202
    [(name, export_id)] = created.json().items()
    assert name == "id"
    seen = []
    for _ in range(5):
        view = batchcom.get("/exports/view", params={"id": export_id}).json()
        seen.append(view["status"])
        clock.advance(7)
    assert seen == ["CREATED", "PENDING", "RUNNING", "RUNNING", "RUNNING"]
    view = batchcom.get("/exports/view", params={"id": export_id}).json()
    assert (view["status"], view["scope"], view["request"]) == ("SUCCESS", "PROFILE_ATTRIBUTES", REQUEST)
    [file] = view["files"]
    redirect = batchcom.get(file["url"])
    assert redirect.status_code == 307
    body = get(redirect.headers["location"])
    assert len(body.content) == file["size"]
    assert set(json.loads(body.text.splitlines()[0])) == {"identifiers", "attributes"}
    assert emulator.jobs("batchcom")[0].files()[0].sha256 == sha256(body.content)


def test_every_link_is_a_new_file_with_the_same_bytes(emulator: Emulator) -> None:
    job = emulator.add_job("batchcom", ResultSpec(bytes=30_000, parts=3))
    links = [link_of(emulator, job, part=2) for _ in range(2)]
    answers = [get(link) for link in links]
    assert answers[0].headers["etag"] != answers[1].headers["etag"]
    assert {sha256(answer.content) for answer in answers} == {job.files()[1].sha256}
    assert [file.size for file in job.files()] == [10_000] * 3


def test_links_die_after_twenty_minutes(emulator: Emulator, clock: ManualClock) -> None:
    link = link_of(emulator, emulator.add_job("batchcom"))
    clock.advance(19 * 60)
    assert get(link).status_code == 200
    clock.advance(2 * 60)
    assert get(link).status_code == 403


def test_paging(emulator: Emulator, batchcom: httpx.Client) -> None:
    ids = [emulator.add_job("batchcom").id for _ in range(25)]
    seen: list[str] = []
    params: dict[str, str] = {}
    while True:
        page = batchcom.get("/exports/list", params=params).json()
        assert page["count"] == len(page["exports"])
        seen += [export["id"] for export in page["exports"]]
        if not page["has_more"]:
            break
        params = {"from": page["next_from"]}
    assert seen == ids[::-1]
    assert batchcom.get("/exports/list", params={"limit": "101"}).status_code == 400
    assert batchcom.get("/exports/list", params={"from": "nonsense"}).status_code == 400


def test_an_unfinished_export_conflicts(emulator: Emulator, batchcom: httpx.Client) -> None:
    job = emulator.add_job("batchcom", state="running")
    view = batchcom.get("/exports/view", params={"id": job.id}).json()
    assert (view["status"], "start_date" in view, "files" in view) == ("RUNNING", True, False)
    file_id = job.id.replace("export_", "file_") + "0001"
    assert batchcom.get("/exports/download", params={"id": file_id}).status_code == 409
    assert batchcom.get("/exports/download", params={"id": "file_0"}).status_code == 404
    assert batchcom.get("/exports/download").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"export_type": "ALL"},
        {"export_type": "ATTRIBUTES"},
        {"export_type": "ATTRIBUTES", "attributes": "firstname"},
        {"export_type": "EVENTS", "from": "2020-01-01T00:00:00Z"},
    ],
)
def test_what_it_refuses(batchcom: httpx.Client, body: dict[str, object]) -> None:
    answer = batchcom.post("/profiles/export", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_code", "error_message"}


def test_credentials(emulator: Emulator, batchcom: httpx.Client) -> None:
    assert batchcom.get("/exports/list", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert batchcom.get("/exports/list", headers={"X-Batch-Project": "project_other"}).status_code == 401
    key = emulator.credentials["batchcom"].password
    bare = get(f"{emulator.urls['batchcom']}/2.11/exports/list", headers={"Authorization": f"Bearer {key}"})
    assert (bare.status_code, bare.json()["error_code"]) == (400, "MISSING_PARAMETER")


def test_any_second_version(emulator: Emulator, batchcom: httpx.Client) -> None:
    base = emulator.urls["batchcom"]
    assert batchcom.get(f"{base}/2.13/exports/list").status_code == 200
    assert batchcom.get(f"{base}/1.1/exports/list").status_code == 404


def test_the_limit(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "batchcom") as api:
        codes = [api.get("/exports/list").status_code for _ in range(11)]
        assert codes == [200] * 10 + [429]
        clock.advance(1)
        assert [api.get("/exports/list").status_code for _ in range(2)] == [200, 429]
