from __future__ import annotations

import csv
import io
from collections import Counter

import httpx
import pytest

from airflow_provider_batchdl.emulator import Emulator, ManualClock, ResultSpec

from .helpers import client, sha256

ADDRESSES = [f"user{number}@example.com" for number in range(40)]
CSV = ("name,Email\n" + "".join(f'"Doe, {number}",{address}\n' for number, address in enumerate(ADDRESSES))).encode()


def submit(api: httpx.Client, name: str = "people.csv", data: bytes = CSV, **params: str) -> httpx.Response:
    files = {"requested_file": (name, data, "text/csv")}
    return api.post("/v2/email/verify/batch", files=files, params=params)


def test_a_job_moves_through_the_vendors_states(
    emulator: Emulator, revenuebase: httpx.Client, clock: ManualClock
) -> None:
    answer = submit(revenuebase).json()
    assert answer == {"process_id": answer["process_id"], "filename": "people.csv", "status": "PROCESSING QUEUED"}
    path = f"/v2/jobs/{answer['process_id']}"
    seen = []
    for _ in range(5):
        seen.append(revenuebase.get(path).json()["current_status"])
        clock.advance(8)
    assert seen == ["QUEUED", "QUEUED", "PROCESSING", "PROCESSING", "COMPLETED"]
    assert emulator.jobs("revenuebase")[0].input == CSV


def test_the_list_shows_active_jobs_only(revenuebase: httpx.Client, clock: ManualClock) -> None:
    first = submit(revenuebase).json()["process_id"]
    clock.advance(15)
    second = submit(revenuebase).json()["process_id"]
    processes = revenuebase.get("/v2/jobs").json()["processes"]
    assert [(process["process_id"], process["status"]) for process in processes] == [
        (first, "PROCESSING"),
        (second, "QUEUED"),
    ]
    clock.advance(20)
    assert [process["process_id"] for process in revenuebase.get("/v2/jobs").json()["processes"]] == [second]


def test_the_result_is_the_input_with_a_verdict(
    emulator: Emulator, revenuebase: httpx.Client, clock: ManualClock
) -> None:
    process_id = submit(revenuebase).json()["process_id"]
    clock.advance(30)
    answer = revenuebase.get(f"/v2/jobs/{process_id}/download")
    assert answer.headers["content-disposition"] == 'attachment; filename="people.csv"'
    assert answer.headers["transfer-encoding"] == "chunked"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["Email"] for row in rows] == ADDRESSES
    counts = Counter(row["status"] for row in rows)
    assert set(counts) <= {"Valid", "Invalid", "Unknown"}
    [served] = emulator.jobs("revenuebase")[0].files()
    assert (served.size, served.sha256) == (len(answer.content), sha256(answer.content))
    spent = 1_000_000 - revenuebase.get("/v2/account/balance").json()["credits"]
    assert spent == counts["Valid"] + counts["Invalid"]


def test_json_in_gives_json_out_with_metadata_on_request(revenuebase: httpx.Client, clock: ManualClock) -> None:
    answer = submit(revenuebase, "people.json", b'[{"email": "a@b.com", "n": 1}]', metadata="true")
    clock.advance(30)
    [row] = revenuebase.get(f"/v2/jobs/{answer.json()['process_id']}/download").json()
    assert row["n"] == 1
    assert {"status", "domain", "mx_record_present", "email_provider", "reason"} <= set(row)


def test_an_unreadable_file_ends_in_error(revenuebase: httpx.Client, clock: ManualClock) -> None:
    path = f"/v2/jobs/{submit(revenuebase, 'people.json', b'{').json()['process_id']}"
    clock.advance(30)
    assert revenuebase.get(path).json()["current_status"] == "ERROR"
    refused = revenuebase.get(f"{path}/download")
    assert (refused.status_code, refused.json()) == (400, {"detail": "process_error"})


def test_cancelling_takes_a_while_and_leaves_a_partial_file(revenuebase: httpx.Client, clock: ManualClock) -> None:
    path = f"/v2/jobs/{submit(revenuebase).json()['process_id']}"
    assert revenuebase.get(f"{path}/download").json() == {"detail": "not_completed"}
    clock.advance(15)
    assert revenuebase.post(f"{path}/cancel").json()["current_status"] == "CANCELLING"
    assert revenuebase.post(f"{path}/cancel").json() == {"detail": "already_cancelled"}
    clock.advance(15)
    assert revenuebase.get(path).json()["current_status"] == "CANCELLED"
    rows = list(csv.DictReader(io.StringIO(revenuebase.get(f"{path}/download").text)))
    assert 0 < len(rows) < len(ADDRESSES)


def test_a_finished_job_cannot_be_cancelled(revenuebase: httpx.Client, clock: ManualClock) -> None:
    path = f"/v2/jobs/{submit(revenuebase).json()['process_id']}"
    clock.advance(30)
    assert revenuebase.post(f"{path}/cancel").json() == {"detail": "not_cancellable"}


def test_what_it_refuses(emulator: Emulator, revenuebase: httpx.Client) -> None:
    assert submit(revenuebase, "people.txt").json() == {"detail": "invalid_extension"}
    wrong_part = revenuebase.post("/v2/email/verify/batch", files={"file": ("people.csv", CSV)})
    assert wrong_part.status_code == 422
    assert wrong_part.json()["detail"][0]["loc"] == ["body", "requested_file"]
    assert revenuebase.get("/v2/jobs/one").status_code == 422
    assert revenuebase.get("/v2/jobs/999").status_code == 400
    assert revenuebase.get("/v2/nothing").json() == {"detail": "Not Found"}
    assert revenuebase.put("/v2/jobs").status_code == 405
    stranger = revenuebase.get("/v2/account/balance", headers={"x-key": "wrong"})
    assert (stranger.status_code, stranger.json()) == (401, {"detail": "Not authenticated"})
    emulator.set_credits("revenuebase", 0)
    assert submit(revenuebase).status_code == 402


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("detail", {"detail": "invalid_extension"}),
        ("dict", {"detail": {"code": "invalid_extension", "message": "File must be .csv or .json."}}),
        ("message", {"message": "invalid_extension"}),
    ],
)
def test_the_shape_of_errors_can_be_chosen(shape: str, body: dict[str, object]) -> None:
    with Emulator(revenuebase_errors=shape) as emulator, client(emulator, "revenuebase") as api:  # type: ignore[arg-type]
        assert submit(api, "people.txt").json() == body


def test_rotating_kills_the_old_key(emulator: Emulator, revenuebase: httpx.Client) -> None:
    fresh = revenuebase.post("/v2/account/api-keys/rotate").json()["api_key"]
    assert revenuebase.get("/v2/account/balance").status_code == 401
    assert emulator.credentials["revenuebase"].password == fresh
    assert revenuebase.get("/v2/account/balance", headers={"x-key": fresh}).status_code == 200


def test_version_one_does_the_same_by_post(revenuebase: httpx.Client, clock: ManualClock) -> None:
    answer = revenuebase.post("/v1/batch-upload", files={"requested_file": ("a.csv", CSV, "text/csv")}).json()
    by_id = {"process_id": answer["process_id"]}
    assert revenuebase.post("/v1/batch-process-email-status", json=by_id).json()["current_status"] == "QUEUED"
    assert len(revenuebase.get("/v1/queued-process").json()["processes"]) == 1
    clock.advance(30)
    assert revenuebase.post("/v1/batch-download", json=by_id).text.startswith("name,Email,status\n")
    again = revenuebase.post("/v1/batch-process-email", json={"filename": "a.csv"}).json()
    cancelled = revenuebase.post("/v1/cancel-process", json={"process_id": again["process_id"]})
    assert cancelled.json()["current_status"] == "CANCELLING"
    assert "credits" in revenuebase.get("/v1/credits").json()
    assert revenuebase.post("/v1/process-email", json={"email": "a@b.com"}).status_code == 200
    assert "api_key" in revenuebase.get("/v1/new-api-key").json()


def test_version_one_can_be_retired() -> None:
    with Emulator(revenuebase_v1=False) as emulator, client(emulator, "revenuebase") as api:
        assert api.get("/v1/credits").status_code == 410
        assert api.get("/v2/account/balance").status_code == 200


def test_forced_and_unknown_states(emulator: Emulator, revenuebase: httpx.Client, clock: ManualClock) -> None:
    job = emulator.add_job("revenuebase", ResultSpec(bytes=5_000), state="REVIEWING", filename="x.csv")
    path = f"/v2/jobs/{job.id}"
    clock.advance(1_000_000)
    assert revenuebase.get(path).json()["current_status"] == job.vendor_state == "REVIEWING"
    assert revenuebase.get(f"{path}/download").status_code == 400
    job.fail("Disk full")
    assert revenuebase.get(path).json()["message"] == "Disk full"
    job.finish()
    assert len(revenuebase.get(f"{path}/download").content) == 5_000
    job.cancel()
    assert job.cancelled
    assert len(revenuebase.get(f"{path}/download").content) == 2_500


def test_names_beyond_ascii_survive(revenuebase: httpx.Client, clock: ManualClock) -> None:
    answer = submit(revenuebase, "größe.csv").json()
    clock.advance(30)
    disposition = revenuebase.get(f"/v2/jobs/{answer['process_id']}/download").headers["content-disposition"]
    assert "filename*=utf-8''gr%C3%B6%C3%9Fe.csv" in disposition
