"""Jobs in the database of the page's tests: those of a few days, and notes that no task of this version has left."""

from __future__ import annotations

from tests.support.ui_server import PRIVATE_DAG, SeededJob

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
FAILED_ODDLY = GOOD | {
    "job_id": "failed",
    "error": {"type": 5, "message": ["a"], "remedy": {"a": 1}, "vendor_message": f"https://x.example/?sig={SECRET} no"},
}
LONG = GOOD | {"job_id": "long", "message": "m" * 200_000}
ODD_LANDING = {
    "job_id": "landed",
    "vendor": "proofy",
    "seconds": [1],
    "verified_by": 4,
    "files": [{"uri": 4, "bytes": 2, "sha256": 7, "rows": "x"}, 4, {"uri": "s3://lake/a.csv"}],
}
NOTES = {"numbers": NUMBERS, "lists": LISTS, "later": LATER, "markup": MARKUP, "link": LINK, "failed": FAILED_ODDLY}
# PostgreSQL refuses half a character; SQLite and MySQL hold it.
HALF = GOOD | {"job_id": "j\ud83d", "message": "x\ud800"}
# Escapes of a terminal, and marks that turn the text behind them around.
ACTING = GOOD | {"job_id": "a\u202e1", "conn_id": "proofy\u2066", "message": "\x1b[31mred\x9b"}
NOTES |= {"long": LONG, "half": HALF, "acting": ACTING}


def odd_jobs() -> list[SeededJob]:
    """What is in the database beside the jobs of the other tests."""
    notes = {"list": [], "empty": {}, "number": 5, **NOTES}
    seeded = [SeededJob(note=note, dag_id="odd", run_id=name, hours_ago=AGE) for name, note in notes.items()]
    record = {"submitted_at": 5, "known_job_ids": 7, "job_id": [1]}
    xcoms = {"return_value": ODD_LANDING}
    seeded.append(SeededJob(note=GOOD, dag_id="odd", run_id="landed", hours_ago=AGE, xcoms=xcoms, record=record))
    limits = [{"requests": 1, "limit": number, "seconds": 60.0} for number in range(100, 300)]
    poll = {"conn_id": "many", "poller": "m", "requests": limits}
    seeded.append(SeededJob(note=GOOD | {"conn_id": "many"}, dag_id="odd", run_id="many", hours_ago=AGE, poll=poll))
    for number, deadline in enumerate(("never", 1e300, -5)):
        facts = {"conn_id": "x", "job_id": "y", "poll_interval": "soon", "deadline": deadline}
        wait = SeededJob(
            note=WAITS, dag_id="odd", run_id=f"wait-{number}", state="deferred", trigger=facts, hours_ago=AGE
        )
        seeded.append(wait)
    return seeded
