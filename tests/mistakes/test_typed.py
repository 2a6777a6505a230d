"""Whatever a user puts into a connection, an argument or the environment ends well, or in an error of ours."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl._airflow.compat import AirflowException
from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.options import NAMES
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.task_groups import MAPPABLE, batch_job
from airflow_provider_batchdl.triggers.completed import CompletedJobsTrigger
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.mistakes.desk import Desk, Shown
from tests.mistakes.test_mistakes import batchdl, desk
from tests.support.airflow_api import fire
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_jobs import VENDORS

__all__ = ["batchdl", "desk"]

ODD_TEXTS = [
    "", " ", "a\nb", "\t", "../..", "//", "://", "https://", "é" * 300, "x" * 5000, "[::1", "%zz", "a b", "-1",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    *ODD_TEXTS, "\x00", "\ud800", 0, -1, 1.5, math.nan, math.inf, True, [], [None], {}, {"a": object()}, {1: 2}, b"x",
    object(), Path("x"), dt.date(2026, 1, 1), dt.timedelta(-1),
]  # fmt: skip
ARGUMENTS = (
    "conn_id", "request", "file", "destination", "partition_key", "max_xcom_bytes", "accept_partial", "manifest",
    "if_exists", "on_empty", "sha256", "max_connections", "poll_interval", "max_poll_interval", "timeout", "deferrable",
    "durable", "cancel_on_kill", "on_uncertain_submit", "on_changed_input",
)  # fmt: skip
SUBMITS = ("conn_id", "request", "file", "destination", "if_exists", "durable", "on_uncertain_submit")
OPERATORS = [
    *((SubmitBatchJobOperator, name) for name in SUBMITS),
    *((DownloadBatchResultsOperator, name) for name in ("conn_id", "job_id", "destination", "max_xcom_bytes", *NAMES)),
    *((CancelBatchJobOperator, name) for name in ("conn_id", "job_id")),
]
RENDERED = [(SubmitBatchJobOperator, "request"), (SubmitBatchJobOperator, "file"), (BatchJobSensor, "job_id"),
            (DownloadBatchResultsOperator, "job_id"), (CancelBatchJobOperator, "job_id")]  # fmt: skip
GROUP = ("max_xcom_bytes", "poll_interval", "max_poll_interval", "timeout", "deferrable", "outlets", "retries", "pool",
         "on_uncertain_submit", "on_changed_input", *MAPPABLE, *NAMES)  # fmt: skip
WAITS = ("conn_id", "job_id", "poll_interval", "max_poll_interval", "deadline", "since", "cancel_on_kill")
# The hook's methods by the argument that is odd.
CALLS: dict[str, Callable[[BatchApiHook, str, str, Any], object]] = {
    "for_connection": lambda hook, job_id, place, odd: BatchApiHook.for_connection(odd),
    "conn_id": lambda hook, job_id, place, odd: BatchApiHook(odd).get_job(job_id),
    "conn_id of a twin": lambda hook, job_id, place, odd: asyncio.run(BatchApiHook(odd).aget_job(job_id)),
    "get_job": lambda hook, job_id, place, odd: hook.get_job(odd),
    "aget_job": lambda hook, job_id, place, odd: asyncio.run(hook.aget_job(odd)),
    "cancel_job": lambda hook, job_id, place, odd: hook.cancel_job(odd),
    "acancel_job": lambda hook, job_id, place, odd: asyncio.run(hook.acancel_job(odd)),
    "is_listed": lambda hook, job_id, place, odd: hook.is_listed(odd),
    "submit_job request": lambda hook, job_id, place, odd: hook.submit_job(odd),
    "submit_job file": lambda hook, job_id, place, odd: hook.submit_job(file=odd),
    "asubmit_job": lambda hook, job_id, place, odd: asyncio.run(hook.asubmit_job(odd, odd)),
    "download job_id": lambda hook, job_id, place, odd: hook.download(odd, place),
    "download destination": lambda hook, job_id, place, odd: hook.download(job_id, odd),
    "fetch job_id": lambda hook, job_id, place, odd: hook.fetch(odd, max_bytes=1000),
    "fetch max_bytes": lambda hook, job_id, place, odd: hook.fetch(job_id, max_bytes=odd),
}


def _download_with(name: str) -> Callable[[BatchApiHook, str, str, Any], object]:
    return lambda hook, job_id, place, odd: hook.download(job_id, place, **{name: odd})


CALLS |= {f"download {name}": _download_with(name) for name in NAMES}
# What a person may write at a shell, where a byte that is no UTF-8 becomes half a character.
WORDS = [*ODD_TEXTS, "\x01", "\udcff", "0", "nan"]
COMMANDS: list[tuple[str, ...]] = [
    ("jobs", "-c", "{}"), ("job", "-c", "{}", "7"), ("job", "-c", "revenuebase_default", "--", "{}"),
    ("jobs", "-c", "revenuebase_default", "--state", "{}"), ("balance", "-c", "{}"), ("cancel", "-c", "{}", "7"),
    ("cancel", "-c", "revenuebase_default", "--", "{}"), ("download", "-c", "{}", "7", "out.csv"),
    ("download", "-c", "revenuebase_default", "--", "{}", "out.csv"),
    ("download", "-c", "revenuebase_default", "--", "7", "{}"), ("check", "-c", "{}"),
    ("download", "-c", "revenuebase_default", "--max-connections", "{}", "--", "7", "out.csv"),
]  # fmt: skip
MEMBERS = ("host", "login", "password", "schema", "extra")
VARIABLES = ("HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _no_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing leaves this machine, whatever host a value happens to be."""
    real = socket.getaddrinfo

    def local(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", "::1", None):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local)


untimed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=10
)


def assert_typed(error: BaseException | None) -> None:
    """An error of ours or of Airflow's, or a plain ValueError; on one line that a person can read."""
    assert isinstance(error, BatchDlError | AirflowException) or type(error) is ValueError, repr(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 4000


def assert_well_or_typed(shown: Shown) -> None:
    if shown.error is not None:
        assert_typed(shown.error)


def assert_ends_well_or_typed(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 which it is, is what is tested
        assert_typed(error)


@pytest.fixture(autouse=True)
def _odd_secrets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords like "xxx…" would be masked in the texts of later tests."""
    monkeypatch.setattr(redactor, "_known", dict(redactor._known))


@untimed
@given(argument=st.sampled_from(ARGUMENTS), value=st.sampled_from(ODD_VALUES))
def test_an_argument_of_the_operator(desk: Desk, argument: str, value: Any) -> None:
    shown = desk.parse(**{argument: value})
    assert_well_or_typed(shown)
    if shown.error is None:
        assert_well_or_typed(desk.run(**{"deferrable": False, "retries": 0, "timeout": 20, argument: value}))


@untimed
@given(argument=st.sampled_from(("conn_id", "job_id", "poll_interval")), value=st.sampled_from(ODD_VALUES))
def test_an_argument_of_the_sensor(desk: Desk, argument: str, value: Any) -> None:
    given_arguments = {"job_id": "7", "poll_interval": 0.1, "timeout": 5, argument: value}
    shown = desk.parse(BatchJobSensor, **given_arguments)
    assert_well_or_typed(shown)
    if shown.error is None:
        assert_well_or_typed(desk.run(BatchJobSensor, **given_arguments))


@untimed
@given(
    vendor=st.sampled_from(VENDORS),
    member=st.sampled_from(MEMBERS),
    value=st.sampled_from([*ODD_TEXTS, 0, -1, 1.5, True, [], {}, ["a"], {"api_version": 2.1}, {"rate_limit": []}]),
)
def test_a_member_of_a_connection(desk: Desk, vendor: str, member: str, value: Any) -> None:
    with desk.monkeypatch.context() as patch:
        Desk(desk.emulator, desk.api, desk.folder, patch, desk.batchdl, desk.caplog).connect(vendor, **{member: value})

        def calls() -> None:
            hook = BatchApiHook.for_connection(f"{vendor}_default")
            assert "\n" not in hook.test_connection()[1]
            hook.get_balance()

        assert_ends_well_or_typed(calls)
        trigger = BatchJobTrigger(conn_id=f"{vendor}_default", job_id="7", poll_interval=0.1, deadline=0.0)
        event = fire(trigger)
        assert json.loads(json.dumps(event.payload))["status"] in ("error", "timeout", "ended")
        command = desk.command("job", "-c", f"{vendor}_default", "7")
        assert len(command.text.splitlines()) <= 1


@untimed
@given(variable=st.sampled_from(VARIABLES), value=st.sampled_from(ODD_TEXTS))
def test_a_variable_of_the_environment(desk: Desk, variable: str, value: str) -> None:
    job = desk.emulator.add_job("revenuebase")
    with desk.monkeypatch.context() as patch:
        patch.setenv("NO_PROXY", "")
        patch.setenv(variable, value)
        hook = BatchApiHook.for_connection("revenuebase_default")
        for call in (hook.list_jobs, lambda: hook.download(job.id, f"{desk.folder}/out.csv")):
            assert_ends_well_or_typed(call)
        assert_fires(BatchJobTrigger(conn_id="revenuebase_default", job_id="7", poll_interval=0.1, deadline=0.0))


def assert_fires(trigger: BatchJobTrigger) -> None:
    """One event that Airflow can store, and no word of a wait that crashed."""
    payload = json.loads(json.dumps(fire(trigger).payload))
    assert payload["status"] in ("error", "timeout", "ended")
    message = payload["error"]["message"] if payload["status"] == "error" else ""
    assert "crashed" not in message
    assert "\n" not in message


@untimed
@given(case=st.sampled_from(OPERATORS), value=st.sampled_from(ODD_VALUES))
def test_an_argument_of_another_operator(desk: Desk, case: tuple[type, str], value: Any) -> None:
    operator, argument = case
    job = {} if operator is SubmitBatchJobOperator else {"job_id": desk.emulator.add_job("revenuebase").id}
    shown = desk.parse(operator, **{**job, argument: value})
    assert_well_or_typed(shown)
    if shown.error is None:
        assert_well_or_typed(desk.run(operator, **{**job, "retries": 0, argument: value}))


@untimed
@given(case=st.sampled_from(RENDERED), value=st.sampled_from(ODD_VALUES))
def test_what_is_known_only_when_the_task_runs(desk: Desk, case: tuple[type, str], value: Any) -> None:
    operator, argument = case
    arguments: dict[str, Any] = {"retries": 0, argument: lambda **_: value}
    if operator is BatchJobSensor:
        arguments["timeout"] = 1
    assert_well_or_typed(desk.run(operator, **arguments))


@untimed
@given(operator=st.sampled_from([case[0] for case in RENDERED]), data=st.data(), value=st.sampled_from(ODD_VALUES))
def test_what_a_task_is_mapped_over(desk: Desk, operator: Any, data: st.DataObject, value: Any) -> None:
    own = "file" if operator is SubmitBatchJobOperator else "job_id"
    argument = data.draw(st.sampled_from(("conn_id", own)))
    constant = {"conn_id": "revenuebase_default", own: "7"}
    del constant[argument]

    def parse() -> None:
        with DAG("parsed", schedule=None):
            operator.partial(task_id="task", **constant).expand(
                **{argument: data.draw(st.sampled_from(([value], value)))}
            )

    assert_ends_well_or_typed(parse)


@untimed
@given(argument=st.sampled_from(GROUP), value=st.sampled_from(ODD_VALUES), mapped=st.booleans())
def test_an_argument_of_the_group(desk: Desk, argument: str, value: Any, mapped: bool) -> None:
    arguments = {"conn_id": "revenuebase_default", "file": "/in.csv", argument: value}

    def parse() -> None:
        with DAG("parsed", schedule=None):
            if mapped and argument in MAPPABLE:
                constant = {"conn_id": "revenuebase_default"} if argument != "conn_id" else {"file": "/in.csv"}
                batch_job.partial(**constant).expand(**{argument: [value]})
            else:
                batch_job(**arguments)

    assert_ends_well_or_typed(parse)


@untimed
@given(argument=st.sampled_from(WAITS), value=st.sampled_from(ODD_VALUES))
def test_an_argument_of_the_trigger(desk: Desk, argument: str, value: Any) -> None:
    given_arguments = {"conn_id": "revenuebase_default", "job_id": "7", "poll_interval": 0.1, "deadline": 0.0}
    assert_ends_well_or_typed(lambda: assert_fires(BatchJobTrigger(**{**given_arguments, argument: value})))


@untimed
@given(argument=st.sampled_from(("conn_id", "poll_interval", "name")), value=st.sampled_from(ODD_VALUES))
def test_an_argument_of_the_watcher(desk: Desk, argument: str, value: Any) -> None:
    """It has no task to fail: what goes wrong at a poll is logged, and must be an error that it knows."""

    async def poll() -> None:
        trigger = CompletedJobsTrigger(**{"conn_id": "revenuebase_default", argument: value})
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(trigger.open_shared_stream(trigger.serialize()[1]))

    assert_ends_well_or_typed(lambda: asyncio.run(poll()))
    assert not [each for each in desk.caplog.records if "crashed" in each.getMessage()]


@untimed
@given(call=st.sampled_from(list(CALLS)), value=st.sampled_from([*ODD_VALUES, None]))
def test_an_argument_of_a_hook(desk: Desk, call: str, value: Any) -> None:
    job = desk.emulator.add_job("revenuebase")
    desk.monkeypatch.chdir(desk.folder)
    hook = BatchApiHook.for_connection("revenuebase_default")
    assert_ends_well_or_typed(lambda: CALLS[call](hook, job.id, f"{desk.folder}/out.csv", value))


@needs_provider_commands
@untimed
@given(command=st.sampled_from(COMMANDS), value=st.sampled_from(WORDS))
def test_an_argument_of_a_command(desk: Desk, command: tuple[str, ...], value: str) -> None:
    desk.monkeypatch.chdir(desk.folder)
    shown = desk.command(*(value if word == "{}" else word for word in command))
    said = [line for line in shown.text.splitlines() if line.startswith("airflow ")]
    assert "Traceback" not in shown.text
    assert len(said) == (1 if shown.text and command[0] != "check" else 0)  # that one prints a table
