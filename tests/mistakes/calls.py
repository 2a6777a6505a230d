"""Calls that the vendor refuses, or that do not reach it."""

from __future__ import annotations

from typing import Any

from jinja2.exceptions import TemplateAssertionError, UndefinedError

from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    JobNotFoundError,
    PermissionDeniedError,
    UnexpectedResponseError,
    VendorUnavailableError,
    WorkerEnvironmentError,
)
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.mistakes import BEFORE_SUBMIT, BUTTON, CHECK, COMMAND, ENDED, REFUSED, Mistake
from tests.mistakes.desk import Desk, Shown


def _met(desk: Desk, fault: Fault) -> Desk:
    """All requests from now on meet a fault."""
    desk.emulator.add_fault(fault)
    return desk


def _found_by_trigger(desk: Desk) -> Shown:
    """A deferred wait that continues in a triggerer with a bad variable."""
    job = desk.emulator.add_job("revenuebase", state="running")

    def make() -> Any:
        return BatchJobSensor(task_id="task", conn_id="revenuebase_default", job_id=job.id, deferrable=True, timeout=90)

    def break_it(_: object) -> None:
        desk.environment(REQUESTS_CA_BUNDLE="/no/such.pem")

    outcome = desk.api.run_to_end(make, before_trigger=break_it)
    return Shown((ENDED,), str(outcome.error), outcome.cause or outcome.error)


def _without_an_answer(desk: Desk) -> Desk:
    for module in ("hooks._client", "cli.explain"):
        desk.monkeypatch.setattr(f"airflow_provider_batchdl.{module}.TEST_SECONDS", 1.0)
    return _met(desk, Fault("stall", seconds=3, before_headers=True, times=9))


MISTAKES: list[Mistake] = [
    Mistake(
        "gives a connection a key that the vendor does not know",
        lambda desk: desk.connect(password="not-a-key").run(),
        REFUSED,
        AuthenticationError,
        "…HTTP 401…",
        "Check the credentials in the Airflow connection, and that they belong to this host.",
    ),
    Mistake(
        "tests a connection with a key that the vendor does not know",
        lambda desk: desk.connect(password="not-a-key").press_test(),
        BUTTON,
        AuthenticationError,
        "…HTTP 401…",
        "Check the credentials in the Airflow connection, and that they belong to this host.",
    ),
    Mistake(
        "checks a connection with a key that the vendor does not know",
        lambda desk: desk.connect(password="not-a-key").check(),
        CHECK,
        AuthenticationError,
        "…HTTP 401…",
        "Check the credentials in the Airflow connection, and that they belong to this host.",
    ),
    Mistake(
        "gives a connection a key that may not submit",
        lambda desk: _met(desk, Fault("status", status=403, operation="submit", times=9)).run(),
        REFUSED,
        PermissionDeniedError,
        "The submit request was refused: Forbidden. …HTTP 403…",
        "Ask the vendor to allow this for these credentials, or use another account's connection.",
    ),
    Mistake(
        "cancels a job that there is not",
        lambda desk: desk.run(CancelBatchJobOperator, job_id="999999"),
        ENDED,
        JobNotFoundError,
        "The status request was refused: …job 999999…",
        "Check the job id and that the connection is the account that submitted it.",
    ),
    Mistake(
        "asks for a job that there is not, at a shell",
        lambda desk: desk.command("job", "-c", "proofy_default", "999999"),
        COMMAND,
        JobNotFoundError,
        "The status request was refused: …job 999999, HTTP 404…",
        "Check the job id and that the connection is the account that submitted it.",
    ),
    Mistake(
        "names a host that has other pages",
        lambda desk: _met(desk, Fault("status", status=404, times=99, body="no such page")).press_test(),
        BUTTON,
        UnexpectedResponseError,
        "Something else answered the balance request in the vendor's place: Not Found. …HTTP 404…",
        "A router, firewall or proxy may be in the way: check the connection's host, …",
    ),
    Mistake(
        "checks a connection with a host that has other pages",
        lambda desk: _met(desk, Fault("status", status=404, times=99, body="no such page")).check(),
        CHECK,
        UnexpectedResponseError,
        "Something else answered the balance request in the vendor's place: Not Found. …HTTP 404…",
        "A router, firewall or proxy may be in the way: check the connection's host, …",
    ),
    Mistake(
        "names a port where nothing listens",
        lambda desk: desk.connect(host="http://127.0.0.1:9").press_test(),
        BUTTON,
        VendorUnavailableError,
        "No answer from Revenuebase to the balance request: …Connection refused.",
        "Check that http://127.0.0.1:9 can be reached from here.",
    ),
    Mistake(
        "checks a connection with a port where nothing listens",
        lambda desk: desk.connect(host="http://127.0.0.1:9").check(),
        CHECK,
        VendorUnavailableError,
        "No answer from Revenuebase to the balance request: …Connection refused.",
        "Check that http://127.0.0.1:9 can be reached from here.",
    ),
    Mistake(
        "submits to a port where nothing listens",
        lambda desk: desk.connect(host="http://127.0.0.1:9").run(),
        BEFORE_SUBMIT,
        VendorUnavailableError,
        "No answer from Revenuebase to the submit request: …Connection refused.",
        "Check that http://127.0.0.1:9 can be reached from here.",
    ),
    Mistake(
        "tests a connection to a host that does not answer in time",
        lambda desk: _without_an_answer(desk).press_test(),
        BUTTON,
        VendorUnavailableError,
        "No answer from Revenuebase to the balance request: …",
        "Check that … can be reached from here.",
    ),
    Mistake(
        "checks a connection to a host that does not answer in time",
        lambda desk: _without_an_answer(desk).check(),
        CHECK,
        VendorUnavailableError,
        "No answer from Revenuebase to the balance request: …",
        "Check that … can be reached from here.",
    ),
    Mistake(
        "waits deferred where the triggerer has a CA bundle that is not there",
        _found_by_trigger,
        ENDED,
        WorkerEnvironmentError,
        "The environment variable REQUESTS_CA_BUNDLE names the CA bundle '/no/such.pem', which cannot be used: "
        "no such file or directory.",
        "Set … on this machine to a PEM file that is there, or unset it.",
    ),
    Mistake(
        "uses a name in a template that there is not",
        lambda desk: desk.run(file="{{ undefined.path }}"),
        BEFORE_SUBMIT,
        UndefinedError,
        "'undefined' is undefined",
        "",  # Airflow's words, which have none
    ),
    Mistake(
        "uses a filter in a template that there is not",
        lambda desk: desk.run(file="/in/{{ ds | nodsh }}.csv"),
        BEFORE_SUBMIT,
        TemplateAssertionError,
        "No filter named 'nodsh'.",
        "",
    ),
]
