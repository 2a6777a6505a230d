"""Another job's result where this task's is to go: a warning before the submit, which names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.emulator import EmulatedJob, Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_jobs import count, download, work

REPLACES = "The new job will replace the result of job {}, {}"
PARTS = ResultSpec(bytes=6_000, format="jsonl", parts=2)

Landed = Callable[..., EmulatedJob]


@pytest.fixture
def landed(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> Landed:
    """Lands another job's result at a place below ``tmp_path``."""

    def land(place: str, result: ResultSpec | None = None, **options: Any) -> EmulatedJob:
        job = connections.add_job("batchcom", result)
        outcome = api.run(download(job, destination=f"{tmp_path}/{place}", **options))
        assert outcome.state == "success", outcome.error
        return job

    return land


def task(kind: Any, folder: Path, place: str, **options: Any) -> Callable[[], Any]:
    more = {"deferrable": False} if kind is BatchJobOperator else {}
    given = {"task_id": "task", **work("batchcom", folder), "destination": f"{folder}/{place}", **more, **options}
    return lambda: kind(**given)


@pytest.mark.parametrize("kind", [BatchJobOperator, SubmitBatchJobOperator])
@pytest.mark.parametrize(
    ("place", "result", "before", "options"),
    [
        ("x.jsonl", None, {"manifest": True}, {}),
        ("x.jsonl", PARTS, {}, {}),
        ("shared/", PARTS, {}, {}),
        ("shared/", PARTS, {}, {"if_exists": "skip"}),
        ("shared/", None, {"manifest": True}, {"keep": "latest"}),  # in this very run
    ],
)
def test_what_is_replaced_is_named_before_the_submit(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    landed: Landed,
    caplog: pytest.LogCaptureFixture,
    kind: Any,
    place: str,
    result: ResultSpec | None,
    before: dict[str, Any],
    options: dict[str, Any],
) -> None:
    old = landed(place, result, **before)
    outcome = api.run(task(kind, tmp_path, place, **options))
    assert outcome.state == "success", outcome.error
    [line] = [record.getMessage() for record in caplog.records if "will replace the result" in record.getMessage()]
    assert line.startswith(REPLACES.format(old.id, f"{tmp_path}/"))
    assert (" and 1 more, " in line) == (result is PARTS)
    assert ('set keep="latest"' in line) == (options.get("keep") != "latest")
    warned, submitted = (caplog.text.index(words) for words in ("will replace the result", "Submitted job"))
    assert warned < submitted


@pytest.mark.parametrize(
    ("place", "result", "before", "options"),
    [
        ("x.jsonl", None, {}, {}),  # no manifest tells whose it is
        ("shared/", None, {"manifest": True}, {}),  # a file of another name stays
        ("shared/", PARTS, {}, {"manifest": False}),  # they stay, too
    ],
)
def test_what_stays_or_is_not_known_is_not(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    landed: Landed,
    caplog: pytest.LogCaptureFixture,
    place: str,
    result: ResultSpec | None,
    before: dict[str, Any],
    options: dict[str, Any],
) -> None:
    landed(place, result, **before)
    assert api.run(task(BatchJobOperator, tmp_path, place, **options)).state == "success"
    assert "will replace the result" not in caplog.text


def test_the_last_run_of_a_task_that_keeps_the_latest_is_not(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, landed: Landed, caplog: pytest.LogCaptureFixture
) -> None:
    landed("latest/", keep="latest")
    api.run_facts["start_date"] = "2999-01-01T00:00:00Z"  # the next run begins later than that one has landed
    assert api.run(task(BatchJobOperator, tmp_path, "latest/", keep="latest")).state == "success"
    assert "will replace the result" not in caplog.text


@needs_task_state_store
def test_a_retry_and_a_cleared_task_replace_their_own(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make = task(BatchJobOperator, tmp_path, "x.jsonl", manifest=True)
    assert api.run(make).state == "success"
    assert api.run(make, try_number=2).state == "success"
    api.clear()
    assert api.run(make, try_number=3).state == "success"
    assert count(connections, "submit") == 2
    assert "will replace the result" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": 7}'])
def test_a_manifest_that_is_none_is_no_reason_not_to_submit(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "x_manifest.json").write_bytes(content)
    assert api.run(task(BatchJobOperator, tmp_path, "x.jsonl")).state == "success"
    assert "will replace the result" not in caplog.text


def in_group(step: str, folder: Path, place: str, **options: Any) -> Callable[[], Any]:
    """Makes one task of a `batch_job`."""

    def make() -> Any:
        landing: Any = batch_job(**work("batchcom", folder), destination=f"{folder}/{place}", **options)
        return landing.operator.dag.task_dict[f"batch_job.{step}"]

    return make


def test_the_group_tells_its_submit_what_it_keeps(tmp_path: Path) -> None:
    with DAG("dag", schedule=None):
        submit = in_group("submit", tmp_path, "x/", keep="latest")()
    assert submit.options.keep == "latest"


def test_a_group_without_manifest_warns_of_nothing_that_stays(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, landed: Landed, caplog: pytest.LogCaptureFixture
) -> None:
    landed("shared/", PARTS)
    for manifest, warns in ((False, False), (None, True)):
        caplog.clear()
        api.store.clear()  # another run of the task
        outcome = api.run(in_group("submit", tmp_path, "shared/", manifest=manifest))
        assert outcome.state == "success", outcome.error
        assert ("will replace the result" in caplog.text) is warns


@pytest.mark.parametrize("kind", ["group", BatchJobOperator, SubmitBatchJobOperator])
def test_a_manifest_that_is_in_the_way_is_found_before_the_submit(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, kind: Any
) -> None:
    (tmp_path / "x_manifest.json").write_text("somebody's")
    options: dict[str, Any] = {"manifest": True, "if_exists": "error"}
    make = in_group("submit", tmp_path, "x.jsonl", **options)
    outcome = api.run(make if kind == "group" else task(kind, tmp_path, "x.jsonl", **options))
    assert isinstance(outcome.cause, DestinationError), outcome.error
    assert "x_manifest.json exists already" in str(outcome.error)
    assert count(connections, "submit") == 0


# Members of a mapped task that run at once, at one place that is known only at run time.

MEANWHILE = "has landed in the meantime"


def members(
    connections: Emulator, folder: Path, place: str, result: ResultSpec | None = None, **options: Any
) -> tuple[list[EmulatedJob], Callable[[], Any]]:
    jobs = [connections.add_job("batchcom", result) for _ in range(2)]
    destination = f"{{{{ task.conn_id and '{folder}/{place}' }}}}"
    given = {"task_id": "task", "conn_id": "batchcom_default", "destination": destination, **options}
    return jobs, lambda: DownloadBatchResultsOperator.partial(**given).expand(job_id=[job.id for job in jobs])


@pytest.mark.parametrize(
    ("place", "result", "options", "names"),
    [
        ("x.jsonl", None, {}, False),
        ("x.jsonl", None, {"manifest": True}, True),
        ("x.jsonl", None, {"if_exists": "skip"}, True),
        ("x.jsonl", PARTS, {}, True),
        ("x/", PARTS, {}, True),
        ("x/", None, {"keep": "latest"}, True),
    ],
)
def test_a_member_that_replaces_what_another_has_landed_says_so(
    connections: Emulator,
    api: ExecutionApi,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    place: str,
    result: ResultSpec | None,
    options: dict[str, Any],
    names: bool,
) -> None:
    jobs, make = members(connections, tmp_path, place, result, **options)
    assert api.run(make, map_index=0).state == "success"
    assert MEANWHILE not in caplog.text
    assert api.run(make, map_index=0, try_number=2).state == "success"  # cleared: it replaces its own
    assert MEANWHILE not in caplog.text
    assert api.run(make, map_index=1).state == "success"
    [line] = [record.getMessage() for record in caplog.records if MEANWHILE in record.getMessage()]
    assert line.startswith(f"The result of job {jobs[1].id} replaces {tmp_path}/")
    assert (f"(job {jobs[0].id})" in line) is names


def test_a_member_that_may_replace_nothing_fails(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    _, make = members(connections, tmp_path, "x.jsonl", if_exists="error")
    assert api.run(make, map_index=0).state == "success"
    first = (tmp_path / "x.jsonl").read_bytes()
    assert isinstance(api.run(make, map_index=1).cause, DestinationError)
    assert (tmp_path / "x.jsonl").read_bytes() == first


@pytest.mark.parametrize("place", ["x.jsonl", "x/"])
def test_what_an_earlier_run_has_landed_is_no_members(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    options: dict[str, Any] = {} if place == "x.jsonl" else {"keep": "latest"}
    _, make = members(connections, tmp_path, place, **options)
    assert api.run(make, map_index=0).state == "success"
    api.run_facts["start_date"] = "2999-01-01T00:00:00Z"
    assert api.run(make, map_index=1).state == "success"
    assert MEANWHILE not in caplog.text


def test_a_mapped_task_that_submits_says_it_too(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both have submitted before either lands, so that neither could have seen it by then."""
    given = work("batchcom", tmp_path)
    destination = f"{{{{ task.conn_id and '{tmp_path}/x.jsonl' }}}}"

    def make() -> Any:
        return BatchJobOperator.partial(
            task_id="task", conn_id=given["conn_id"], destination=destination, deferrable=True, retries=1
        ).expand(request=[given["request"]] * 2)

    def other_lands(_: object) -> None:
        (tmp_path / "x.jsonl").write_text("another member's")

    outcome = api.run_to_end(make, map_index=0, before_trigger=other_lands)
    assert outcome.state == "success", outcome.error
    assert MEANWHILE in caplog.text
