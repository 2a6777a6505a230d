from __future__ import annotations

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ManualClock, ResultSpec

from .helpers import client, get, sha256

EMAILS = [f"user{number}@example.com" for number in range(20)]


def submit(api: httpx.Client, emails: list[str] | None = None) -> str:
    answer = api.post("/verify/batch/create", json={"emails": emails or EMAILS})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "parsing"
    return str(answer.json()["id"])


def test_a_batch_from_end_to_end(emulator: Emulator, proofy: httpx.Client, clock: ManualClock) -> None:
    job_id = submit(proofy)
    path = f"/verify/batch/{job_id}"
    assert proofy.get(path).json() == {"id": job_id, "status": "parsing"}
    clock.advance(15)
    assert proofy.get(path).json()["status"] == "processing"
    assert proofy.get(f"{path}/download").json() == {"status": "processing", "list": []}
    clock.advance(15)
    answer = proofy.get(f"{path}/download")
    document = answer.json()
    assert document["status"] == "ready"
    assert [f"{item['syntax']['username']}@{item['syntax']['domain']}" for item in document["list"]] == EMAILS
    assert set(document["list"][0]) == {
        "status", "syntax", "free", "roleAccount", "roleNoReply", "disposable", "possibleSpamTrap", "mx",
        "deliverability",
    }  # fmt: skip
    assert emulator.jobs("proofy")[0].files()[0].sha256 == sha256(answer.content)
    charged = sum(item["status"] != "unknown" for item in document["list"])
    assert proofy.get("/credits").json() == {"credits": 1_000_000 - charged}


def test_two_at_a_time(proofy: httpx.Client, clock: ManualClock) -> None:
    ids = [submit(proofy) for _ in range(5)]

    def states() -> list[str]:
        return [proofy.get(f"/verify/batch/{job_id}").json()["status"] for job_id in ids]

    clock.advance(11)
    assert states() == ["processing", "processing", "parsing", "parsing", "parsing"]
    clock.advance(20)
    assert states() == ["ready", "ready", "processing", "processing", "parsing"]
    proofy.delete(f"/verify/batch/{ids[2]}")
    assert states() == ["ready", "ready", "cancelled", "processing", "processing"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"emails": []}, 422),
        ({"emails": "a@b.c"}, 422),
        ({"emails": [1]}, 422),
        ({"emails": ["a@b.c"] * 10_001}, 422),
        ([], 400),
    ],
)
def test_what_it_refuses(proofy: httpx.Client, body: object, status: int) -> None:
    answer = proofy.post("/verify/batch/create", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"message"}


def test_the_key_belongs_in_the_query(emulator: Emulator) -> None:
    url = f"{emulator.urls['proofy']}/credits"
    key = emulator.credentials["proofy"].password
    refused = get(url, headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
    assert get(url, params={"api_key": key}).status_code == 200


def test_no_credits_is_a_400(emulator: Emulator, proofy: httpx.Client) -> None:
    emulator.set_credits("proofy", 3)
    answer = proofy.post("/verify/batch/create", json={"emails": EMAILS})
    assert (answer.status_code, answer.json()) == (400, {"message": "Not enough credits"})


def test_files(emulator: Emulator, proofy: httpx.Client, clock: ManualClock) -> None:
    uploaded = proofy.post("/verify/file/upload", files={"file": ("a.txt", b"a@b.com\nc@d.com\n")}).json()
    by_url = {"file_name": "b.csv", "file_url": "https://files.example/b.csv"}
    linked = proofy.post("/verify/file/create", json=by_url).json()
    clock.advance(100)
    for job_id, length in ((uploaded["id"], 2), (linked["id"], 10)):
        assert proofy.get(f"/verify/file/{job_id}").json()["status"] == "ready"
        assert len(proofy.get(f"/verify/file/{job_id}/download").json()["list"]) == length
    assert proofy.delete(f"/verify/file/{uploaded['id']}").status_code == 200
    assert proofy.get("/verify/file/none").json() == {"message": "Not Found"}


def test_a_made_up_result_has_the_vendors_shape(emulator: Emulator, proofy: httpx.Client) -> None:
    job = emulator.add_job("proofy", ResultSpec(bytes=300_000))
    answer = proofy.get(f"/verify/batch/{job.id}/download")
    assert len(answer.content) == 300_000
    assert answer.json()["list"][-1]["syntax"]["valid"] is True


def test_single(proofy: httpx.Client) -> None:
    assert proofy.get("/verify/single", params={"email": "a@b.com"}).json()["syntax"]["domain"] == "b.com"
    assert proofy.get("/verify/single", params={"email": "nobody"}).status_code == 422


def test_the_limit(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "proofy") as api:
        codes = [api.get("/verify/batch/none").status_code for _ in range(26)]
        assert codes == [404] * 25 + [429]
        clock.advance(60)
        assert api.get("/verify/batch/none").status_code == 404
