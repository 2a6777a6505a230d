"""A paid job whose result did not land: the log says how to have it without paying again, and what it prints works."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._tasks.unlanded import download_command
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import JobNotFoundError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.options import DownloadOptions
from tests.cli.conftest import Ended, batchdl, parser
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_provider_commands
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import count, work

__all__ = ["batchdl"]

DENIED = Fault("status", operation="download", status=403, times=1)
BROKEN = Fault("status", operation="download", status=500, times=100)


def told(caplog: pytest.LogCaptureFixture) -> str:
    first, second = (record.getMessage() for record in caplog.records if record.name.endswith("_tasks.unlanded"))
    assert "still at the vendor" in first
    return second


@needs_provider_commands
@pytest.mark.parametrize(
    ("destination", "lands_at", "arguments"),
    [
        ("out.csv", "out.csv", {}),
        ("it's a $HOME folder/-out;.csv", "it's a $HOME folder/-out;.csv", {"sha256": False, "if_exists": "error"}),
        ("folder/", "folder/*.csv", {"max_connections": 1, "manifest": True}),
        (None, "*.csv", {"max_xcom_bytes": 10}),
    ],
)
def test_the_printed_command_lands_the_result(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    batchdl: Callable[..., Ended],
    destination: str | None,
    lands_at: str,
    arguments: dict[str, Any],
) -> None:
    if destination is not None:
        connections.add_fault(DENIED)
        arguments = {**arguments, "destination": f"{tmp_path}/landed/{destination}"}
    given_arguments = {**work("apartmentiq", tmp_path), **arguments}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="task", **given_arguments))
    assert outcome.kind == ("failed", "BatchTaskFailedError")
    line = told(caplog)
    assert "next try" not in line
    command = line.removeprefix("Once the cause is fixed, this downloads it: ")
    (tmp_path / "landed").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "landed")
    ended = batchdl(*shlex.split(command)[2:])
    assert ended.code == 0, ended.err
    assert len(list((tmp_path / "landed").glob(lands_at))) == 1
    assert count(connections, "submit") == 1


@pytest.mark.parametrize(("max_tries", "says"), [(1, "The next try downloads it."), (0, "Once the cause is fixed, ")])
def test_a_retry_is_promised_where_there_is_one(
    connections: Emulator,
    api: ExecutionApi,
    polls: Polls,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    max_tries: int,
    says: str,
) -> None:
    api.max_tries = max_tries
    connections.add_fault(BROKEN)
    arguments = {**work("revenuebase", tmp_path), "destination": f"{tmp_path}/out.csv"}
    api.run_to_end(lambda: BatchJobOperator(task_id="task", **arguments))
    assert says in told(caplog)


def test_nothing_is_promised_of_a_job_that_is_gone(
    connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connections.add_fault(Fault("status", operation="download", status=404, times=100))
    arguments = {**work("proofy", tmp_path), "destination": f"{tmp_path}/out.csv"}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="task", **arguments))
    assert type(outcome.cause) is JobNotFoundError
    assert "still at the vendor" not in caplog.text


def options_of(if_exists: str) -> st.SearchStrategy[DownloadOptions]:
    return st.builds(
        DownloadOptions,
        accept_partial=st.booleans(),
        manifest=st.sampled_from([None, True] if if_exists == "skip" else [None, True, False]),
        if_exists=st.just(if_exists),
        on_empty=st.sampled_from(["fail", "skip", "land"]),
        sha256=st.booleans(),
        max_connections=st.none() | st.integers(1, 64),
        count_gzip_rows=st.booleans(),
        join_pages=st.booleans(),
    )


OPTIONS = st.sampled_from(["replace", "error", "skip"]).flatmap(options_of)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


@needs_provider_commands
@given(
    options=OPTIONS,
    conn_id=st.from_regex(r"[\w.-]{0,10}\w", fullmatch=True).filter(lambda text: text[0] != "-"),
    job_id=WORDS,
    destination=WORDS,
)
def test_the_command_means_what_the_task_does(
    options: DownloadOptions, conn_id: str, job_id: str, destination: str
) -> None:
    words = shlex.split(download_command(conn_id, job_id, destination, options))
    args = parser().parse_args(words[1:])
    assert (args.conn_id, args.job_id, args.destination) == (conn_id, job_id, destination)
    assert DownloadOptions(**{each.name: getattr(args, each.name) for each in fields(options)}) == options
