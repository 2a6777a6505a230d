"""One API server for all tests of the page that only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_provider_batchdl._values.storable import storable
from tests.support.ui_server import DATABASES, PRIVATE_DAG, SeededJob, UiServer, database, ui_server
from tests.ui.test_odd_notes import odd_jobs

SIGNATURE = "9f86d081884c7d659a2feaa0c55ad015"
LANDING = {
    "job_id": "41001",
    "vendor": "revenuebase",
    "bytes": 4_000_000_000,
    "seconds": 39.0,
    "resumed": 1,
    "verified_by": ["content-length"],
    "files": [
        {
            "uri": "s3://aws_default@lake/october/verified.csv",
            "bytes": 4_000_000_000,
            "rows": 31_250_118,
            "sha256": "58aa68194575" + "0" * 52,
            "kind": "result",
        },
    ],
}
LANDED = SeededJob(
    note={
        "vendor": "revenuebase",
        "conn_id": "revenuebase_default",
        "job_id": "41001",
        "state": "succeeded",
        "vendor_state": "COMPLETED",
        "progress": 1.0,
        "records": None,
        "landed": {
            "bytes": 4_000_000_000,
            "rows": 31_250_118,
            "files": 1,
            "destination": "s3://aws_default@lake/october/",
        },
    },
    xcoms={"return_value": LANDING},
    record={
        "generation": 0,
        "key": "k",
        "submitted_at": "2026-11-28T22:00:03Z",
        "job_id": "41001",
        "known_job_ids": ["40990"],
    },
    assets=["s3://lake/october"],
    actions=["set_note"],
)
FAILED = SeededJob(
    dag_id="contacts",
    state="failed",
    try_number=2,
    hours_ago=4,
    note={
        "vendor": "batchcom",
        "conn_id": "batchcom_default",
        "job_id": "exp-7",
        "state": "failed",
        "vendor_state": "FAILED",
        "error": {
            "type": "JobFailedError",
            "message": "The job failed.",
            "status": None,
            "vendor_code": None,
            "vendor_message": "<script>alert(1)</script> attribute $email_adress is unknown",
            "remedy": "Correct the request, then clear the task.",
        },
    },
)
WAITING = SeededJob(
    dag_id="contacts",
    run_id="manual__1",
    state="deferred",
    hours_ago=1,
    note={
        "vendor": "proofy",
        "conn_id": "proofy_default",
        "job_id": "p-1",
        "state": "running",
        "vendor_state": "in progress",
        "progress": 0.42,
        "message": f"see https://files.example/x.csv?X-Amz-Signature={SIGNATURE}",
    },
    trigger={"conn_id": "proofy_default", "job_id": "p-1", "poll_interval": 30.0, "deadline": 1_795_000_000.0},
    poll={
        "conn_id": "proofy_default",
        "job_id": "p-1",
        "state": "running",
        "vendor_state": "almost",
        "progress": 0.97,
        "poller": "a",
        "requests": [{"requests": 12, "limit": 60, "seconds": 60.0}],
    },
)
# Another wait through the same connection, in another triggerer.
ALSO_WAITING = SeededJob(
    dag_id="contacts",
    run_id="old",
    task_id="also",
    hours_ago=24 * 5,
    state="deferred",
    note={"vendor": "proofy", "conn_id": "proofy_default", "job_id": "p-2"},
    poll={"conn_id": "proofy_default", "poller": "b", "requests": [{"requests": 7, "limit": 60, "seconds": 60.0}]},
)
HIDDEN = SeededJob(
    dag_id=PRIVATE_DAG,
    note={"vendor": "apartmentiq", "conn_id": "apartmentiq_default", "job_id": "secret-job"},
    poll={"conn_id": "proofy_default", "poller": "c", "requests": [{"requests": 1, "limit": 60, "seconds": 60.0}]},
)
REFUSED = SeededJob(
    dag_id="contacts",
    run_id="manual__2",
    state="up_for_retry",
    hours_ago=2,
    note={
        "vendor": "proofy",
        "conn_id": "proofy_default",
        "error": {"type": "AuthenticationError", "message": "Bad key."},
    },
)
ELSEWHERE = SeededJob(dag_id="contacts", run_id="manual__3", note="s3://xcoms/1.json", state="skipped", hours_ago=3)
OLD = SeededJob(
    dag_id="contacts",
    run_id="old",
    hours_ago=24 * 5,
    note={"vendor": "proofy", "conn_id": "proofy_default", "job_id": "p-0"},
    poll={"conn_id": "proofy_default", "poller": "d", "requests": [{"requests": 5, "limit": 60, "seconds": 60.0}]},
    poll_stored_in=-0.1,  # too long ago to be added up
)
OTHERS = SeededJob(dag_id="contacts", run_id="other", xcoms={"return_value": {"bytes": 1}, "job_id": "not-ours"})
JOBS = [LANDED, FAILED, WAITING, ALSO_WAITING, HIDDEN, REFUSED, ELSEWHERE, OLD, OTHERS]


@pytest.fixture(scope="session", params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiServer]:
    connection = {"conn_type": "proofy", "password": "pf_hidden_password", "host": ""}
    connections = {"proofy_default": json.dumps(connection), "proofy_unused": json.dumps(connection)}
    jobs = [*JOBS, *odd_jobs()]
    if request.param == "postgresql":
        jobs = [replace(job, note=storable(job.note), trigger=storable(job.trigger)) for job in jobs]
    home = tmp_path_factory.mktemp("home")
    with database(request.param) as variables, ui_server(home, jobs, connections, **variables) as running:
        yield running
