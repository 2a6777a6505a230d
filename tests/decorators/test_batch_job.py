"""``@task.batch_job``: a function says what is submitted, and all else is as with ``BatchJobOperator``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_batchdl._tasks.warnings import RetriesWarning
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import InputChangedError, InvalidArgumentError, InvalidRequestError
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import DagSerialization, needs_task_state_store
from tests.support.airflow_fixtures import Polls
from tests.support.airflow_jobs import ADDRESSES, VENDORS, count, work

MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
Function = Callable[..., Any]
CONSTANT: dict[str, Any] = {"conn_id": "proofy_default", "retries": 3}


def made(function: Function, *args: Any, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """The operator of a decorated function that a DAG calls with ``args`` and ``given``."""
    return operator_of(task.batch_job(**{"retries": 3, **arguments})(function)(*args, **(given or {})))


def operator_of(output: Any) -> Any:
    """The operator whose output it is; annotations of Airflow's promise no more than that it is one."""
    return output.operator


def returns(value: Any) -> Function:
    def task() -> Any:
        return value

    return task


@MODES
@pytest.mark.parametrize("vendor", VENDORS)
def test_the_function_says_what_is_submitted(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, vendor: str, deferrable: bool
) -> None:
    arguments = work(vendor, tmp_path)
    calls = []

    def run() -> Any:
        calls.append(1)
        return arguments["request"] if "request" in arguments else Path(arguments["file"])

    outcome = api.run_to_end(
        lambda: made(run, conn_id=arguments["conn_id"], destination=f"{tmp_path}/out/", deferrable=deferrable)
    )
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs(vendor)
    assert outcome.value["files"][0]["sha256"] == job.files()[0].sha256
    assert api.pushed("run", "job_id") == job.id == outcome.value["job_id"]
    assert (api.deferral is not None) is deferrable
    assert (len(calls), count(connections, "submit")) == (1, 1)  # it is not called again when the task resumes


def test_arguments_are_rendered_and_the_context_is_there(connections: Emulator, api: ExecutionApi) -> None:
    api.conf = {"who": "ada", "vendor": "proofy"}

    def run(who: str, at: str, *, ds: Any = None, ti: Any = None) -> dict[str, Any]:
        return {"emails": [f"{who}@{at}"], "note": [ds, ti.task_id]}

    outcome = api.run_to_end(
        lambda: made(
            run,
            "{{ dag_run.conf['who'] }}",
            given={"at": "{{ ds }}.example"},
            conn_id="{{ dag_run.conf['vendor'] }}_default",
        )
    )
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("proofy")
    assert job.request["emails"] == ["ada@2026-01-01.example"]
    rendered = api.rendered[("run", -1)]
    assert rendered["op_args"] == ["ada"]
    assert rendered["request"] == {"emails": job.request["emails"], "note": ["2026-01-01", "run"]}


def test_what_it_returns_is_not_rendered(connections: Emulator, api: ExecutionApi) -> None:
    """It may come from elsewhere, and a template could read connections."""
    given = {"emails": ["{{ conn.proofy_default.password }}@example.com"]}
    api.run_to_end(lambda: made(returns(given), conn_id="proofy_default"))
    assert connections.jobs("proofy")[0].request["emails"] == given["emails"]


def test_signatures_in_what_it_returns_are_not_shown(connections: Emulator, api: ExecutionApi) -> None:
    url = "https://bucket.s3.amazonaws.com/a.csv?X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef"
    outcome = api.run_to_end(lambda: made(returns({"emails": ADDRESSES, "note": url}), conn_id="proofy_default"))
    assert outcome.state == "success", outcome.error
    rendered = api.rendered[("task", -1)]["request"]
    assert rendered["emails"] == ADDRESSES
    assert "0123456789abcdef" not in json.dumps(rendered)


@needs_task_state_store
@MODES
def test_a_retry_reconnects(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, polls: Polls, deferrable: bool
) -> None:
    def make() -> Any:
        return made(
            returns({"emails": ADDRESSES}),
            conn_id="proofy_default",
            destination=f"{tmp_path}/out.json",
            deferrable=deferrable,
        )

    connections.add_fault(Fault("status", operation="download", status=503, times=50))
    assert api.run_to_end(make).state == "up_for_retry"
    connections.clear_faults()
    outcome = api.run_to_end(make, try_number=2)
    assert outcome.state == "success", outcome.error
    assert count(connections, "submit") == 1
    api.clear()
    assert api.run_to_end(make, try_number=3).state == "success"
    assert count(connections, "submit") == 2


@needs_task_state_store
@pytest.mark.parametrize(("policy", "submits"), [("fail", 1), ("resubmit", 2)])
def test_a_retry_that_returns_another_request(
    connections: Emulator, api: ExecutionApi, polls: Polls, policy: str, submits: int
) -> None:
    connections.world.run_seconds = 3600
    calls: list[int] = []

    def run() -> dict[str, Any]:
        calls.append(1)
        return {"emails": [f"{len(calls)}@example.com"]}

    def make() -> Any:
        return made(run, conn_id="proofy_default", deferrable=True, on_changed_input=policy)

    assert api.run(make).state == "deferred"
    outcome = api.run(make, try_number=2)
    assert count(connections, "submit") == submits
    if policy == "fail":
        assert isinstance(outcome.cause, InputChangedError)
        assert "the request's 'emails' changed" in str(outcome.error)


@needs_task_state_store
def test_the_intent_is_stored_before_the_submit(connections: Emulator, api: ExecutionApi, polls: Polls) -> None:
    connections.add_fault(Fault("reset", operation="submit"))
    outcome = api.run(lambda: made(returns({"emails": ADDRESSES}), conn_id="proofy_default"))
    assert outcome.state == "failed"
    assert "SubmitUncertainError" in str(outcome.error)
    assert api.store[("task", -1, "batchdl_job")]["job_id"] is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "returned None"),
        ([{"emails": ADDRESSES}], "The function returned a value of type list"),
        (("a", "b"), "of type tuple"),
        (7, "of type int"),
        ('{"emails": []}', "returned a text"),
        ("/data/people.csv", "returned a text"),
        ({"emails": ["\ud83d"]}, "half a character"),
        ({7: "seven"}, "names of members are text"),
    ],
)
def test_what_is_no_request_fails_before_the_submit(
    connections: Emulator, api: ExecutionApi, value: Any, words: str
) -> None:
    outcome = api.run(lambda: made(returns(value), conn_id="proofy_default"))
    assert outcome.state == "failed"
    assert isinstance(outcome.cause, InvalidRequestError)
    assert words in str(outcome.error)
    assert "ada@" not in str(outcome.error)
    assert not connections.requests


def test_the_functions_own_error_is_retried(connections: Emulator, api: ExecutionApi) -> None:
    def run() -> Any:
        raise ValueError("no rows yet")

    outcome = api.run(lambda: made(run, conn_id="proofy_default"))
    assert outcome.kind == ("up_for_retry", "ValueError")
    assert not connections.requests


def test_file_and_request_from_either_side(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    people = Path(work("revenuebase", tmp_path)["file"])
    both: list[tuple[Any, dict[str, Any]]] = [(people, {"request": {}}), ({}, {"file": str(people)})]
    for value, other in both:
        outcome = api.run_to_end(partial(made, returns(value), conn_id="revenuebase_default", **other))
        assert outcome.state == "success", outcome.error
        api.clear()
    assert count(connections, "submit") == 2
    twice: list[tuple[Any, dict[str, Any]]] = [(people, {"file": str(people)}), ({"a": 1}, {"request": {"b": 2}})]
    for value, other in twice:
        outcome = api.run(partial(made, returns(value), conn_id="revenuebase_default", **other))
        assert isinstance(outcome.cause, InvalidRequestError)
        assert "the decorator has another" in str(outcome.error)
    assert count(connections, "submit") == 2


# The DAG's author.


@pytest.mark.parametrize(
    "wrong",
    [
        {"conn_id": ""},
        {"conn_id": "proofy_default", "destination": "out.csv"},
        {"conn_id": "proofy_default", "poll_interval": -1},
        {"conn_id": "proofy_default", "if_exists": "skpi"},
        {"conn_id": "proofy_default", "on_changed_input": "perhaps"},
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_wrong_is_refused_when_the_dag_is_parsed(wrong: dict[str, Any], mapped: bool) -> None:
    def run(who: str) -> dict[str, Any]:
        return {"emails": [who]}

    decorated = task.batch_job(retries=3, **wrong)(run)
    with DAG("dag"), pytest.raises(InvalidArgumentError):
        decorated.expand(who=ADDRESSES) if mapped else decorated("ada@example.com")
    right = {**CONSTANT, "destination": "/data/{{ ti.map_index }}.csv"}
    again = task.batch_job(**right)(run).override(**wrong)
    with DAG("dag"), pytest.raises(InvalidArgumentError):
        again.expand_kwargs([{"who": "ada"}]) if mapped else again("ada@example.com")


def test_a_destination_that_mapped_tasks_share_is_refused() -> None:
    decorated = task.batch_job(**CONSTANT, destination="/data/out.csv")(lambda who: {"emails": [who]})
    with DAG("dag"), pytest.raises(InvalidArgumentError, match="the same for each member"):
        decorated.override(task_id="run").expand(who=ADDRESSES)


def test_an_unknown_argument_is_refused() -> None:
    def run(who: str) -> dict[str, Any]:
        return {"emails": [who]}

    with DAG("dag"), pytest.raises(TypeError, match="poll_intervall"):
        task.batch_job(**CONSTANT, poll_intervall=3)(run).expand(who=ADDRESSES)


async def _async() -> dict[str, Any]:
    return {}


async def _async_items() -> AsyncIterator[int]:
    yield 1


def _items() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_async, _async_items, _items])
def test_a_function_without_a_result_is_refused(function: Function) -> None:
    with pytest.raises(InvalidArgumentError, match="asynchronous or a generator"):
        task.batch_job(**CONSTANT)(function)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_task_without_retries_is_warned_of(mapped: bool) -> None:
    def run(who: str) -> dict[str, Any]:
        return {"emails": [who]}

    decorated = task.batch_job(conn_id="proofy_default")(run)
    with DAG("dag"), pytest.warns(RetriesWarning, match="'run' has retries=0") as seen:
        decorated.expand(who=ADDRESSES) if mapped else decorated("ada")
    assert [each.filename for each in seen if each.category is RetriesWarning] == [__file__]


# Outputs.


def _annotated() -> dict[str, Any]:
    return {"emails": ADDRESSES}


def test_the_annotation_is_the_requests_and_unrolls_nothing(connections: Emulator, api: ExecutionApi) -> None:
    """Airflow takes a dict for several outputs; the result here is a list of rows, or a landing."""
    outcome = api.run_to_end(lambda: made(_annotated, conn_id="proofy_default"))
    assert outcome.state == "success", outcome.error
    assert api.pushed("_annotated", "emails") is None


def test_a_landing_is_unrolled_where_asked_for(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    outcome = api.run_to_end(
        lambda: made(_annotated, conn_id="proofy_default", destination=f"{tmp_path}/a.json", multiple_outputs=True)
    )
    assert outcome.state == "success", outcome.error
    assert api.pushed("_annotated", "files") == outcome.value["files"]
    assert api.pushed("_annotated", "job_id") == outcome.value["job_id"]


def test_without_a_destination_there_is_no_landing_to_unroll(connections: Emulator, api: ExecutionApi) -> None:
    with pytest.raises(InvalidArgumentError, match="multiple_outputs"), DAG("dag"):
        made(_annotated, conn_id="proofy_default", multiple_outputs=True)

    def mapped() -> Any:
        decorated = task.batch_job(**CONSTANT, multiple_outputs=True)(lambda who: {"emails": [who]})
        return operator_of(decorated.override(task_id="task").expand(who=ADDRESSES))

    outcome = api.run(mapped, map_index=0)
    assert outcome.state == "failed"
    assert isinstance(outcome.cause, InvalidArgumentError)
    assert not connections.requests


# Mapped.


def test_it_maps_over_arguments_of_the_function(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    @task.batch_job(**CONSTANT, destination=f"{tmp_path}/{{{{ ti.map_index }}}}.json", deferrable=True)
    def verify(who: str, at: str) -> dict[str, Any]:
        return {"emails": [f"{who}@{at}"]}

    api.give_xcom("names", ["ada", "grace"])

    def make() -> Any:
        @task
        def names() -> list[str]:
            return []

        return operator_of(verify.partial(at="{{ ds }}.example").expand(who=names()))

    for index in (0, 1):
        outcome = api.run_to_end(make, map_index=index)
        assert outcome.state == "success", outcome.error
        assert outcome.value["files"][0]["uri"].endswith(f"/{index}.json")
    sent = sorted(job.request["emails"] for job in connections.jobs("proofy"))
    assert sent == [["ada@2026-01-01.example"], ["grace@2026-01-01.example"]]


def test_a_dag_with_it_is_serialized() -> None:
    def run(who: str) -> dict[str, Any]:
        return {"emails": [who]}

    with DAG("dag", schedule=None) as dag:
        decorated = task.batch_job(**CONSTANT)(run)
        decorated("ada@example.com")
        mapped = decorated.override(task_id="each").expand(who=ADDRESSES).operator
    assert isinstance(mapped, MappedOperator)
    stored = json.loads(json.dumps(DagSerialization.serialize_dag(dag)))
    one, each = (entry["__var"] for entry in stored["tasks"])
    assert (one["_operator_name"], each["_operator_name"]) == ("@task.batch_job", "@task.batch_job")
    assert "_operator_extra_links" in one


def test_a_request_that_holds_itself(connections: Emulator, api: ExecutionApi) -> None:
    request: dict[str, Any] = {}
    request["emails"] = request
    outcome = api.run(lambda: made(returns(request), conn_id="proofy_default"))
    assert isinstance(outcome.cause, InvalidRequestError)
    assert "holds itself" in str(outcome.error)
    assert not connections.requests
