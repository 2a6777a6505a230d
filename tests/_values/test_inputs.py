"""What comes from templates and other tasks: numbers that were ids, lists, nothing; and what may be mapped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_batchdl._airflow.fail_fast import BatchTaskFailedError
from airflow_provider_batchdl._values.inputs import refuse_lost, refuse_lost_members
from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from airflow_provider_batchdl.triggers.job import BatchJobTrigger
from tests.support.airflow_api import ExecutionApi, fire

OF_A_JOB: list[Any] = [BatchJobSensor, DownloadBatchResultsOperator, CancelBatchJobOperator]
SUBMITTING: list[type[BaseOperator]] = [SubmitBatchJobOperator, BatchJobOperator]
NO_IDS: list[Any] = [None, "", "  ", "None", "null", [], ["7"], ("7",), {"id": "7"}, True, 7.0, b"7", "['7', '8']"]


@pytest.mark.parametrize(
    ("written", "rendered", "is_lost"),
    [
        ("{{ x }}.csv", "None.csv", True),
        ("/data/dt={{ x }}/", "/data/dt=None/", True),
        ("/data/a_{{ x }}_b", "/data/a_None_b", True),
        ("{{ x }}T00:00:00Z", "NoneT00:00:00Z", True),
        ("/None/{{ x }}", "/None/None", True),
        ("/None/{{ x }}", "/None/1", False),
        ("/data/{{ x }}.csv", "/data/None of these.csv", False),
        ("/data/{{ x }}.csv", "/data/Nonesuch.csv", False),
        ("/data/{{ x }}.csv", "/data/Anonymous-aNone.csv", False),
        ("{{ filter }}", "status == None", False),
        ("{{ filter }}", "status==None", False),
        ("{{ x }}", "/data/x.csv", False),
    ],
)
def test_none_for_a_part_of_a_text(written: str, rendered: str, is_lost: bool) -> None:
    for refuse in (refuse_lost, refuse_lost_members):
        refused = pytest.raises(InvalidRequestError, match="with None for a part") if is_lost else nullcontext()
        with refused:
            refuse("destination", written, rendered)


@pytest.mark.parametrize("operator", OF_A_JOB)
@pytest.mark.parametrize("deferrable", [False, True])
def test_an_id_that_native_rendering_made_a_number(
    connections: Emulator, api: ExecutionApi, operator: Any, deferrable: bool
) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=500))
    api.conf = {"id": int(job.id)}
    more = {"deferrable": deferrable} if operator is BatchJobSensor else {}

    def native() -> Any:
        task = operator(task_id="task", conn_id="revenuebase_default", job_id="{{ dag_run.conf['id'] }}", **more)
        task.dag.render_template_as_native_obj = True
        return task

    outcome = api.run_to_end(native)
    assert outcome.state == "success", outcome.error


@pytest.mark.parametrize("operator", OF_A_JOB)
@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_what_is_no_id_is_refused_at_once_wherever_it_comes_from(
    connections: Emulator, api: ExecutionApi, operator: Any, value: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match="job_id"):
        operator(task_id="task", conn_id="proofy_default", job_id=value)

    api.give_xcom("before", ["any"])

    def mapped() -> Any:
        before = SubmitBatchJobOperator(task_id="before", conn_id="proofy_default", request={}, retries=1).output
        return operator.partial(task_id="task", conn_id="proofy_default").expand(job_id=before.map(lambda _: value))

    outcome = api.run_to_end(mapped, map_index=0)
    assert outcome.kind == ("failed", BatchTaskFailedError.__name__)
    assert isinstance(outcome.cause, InvalidRequestError)
    assert "job_id" in str(outcome.error)
    assert not connections.requests


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_a_trigger_says_so_too(connections: Emulator, value: Any) -> None:
    event = fire(BatchJobTrigger(conn_id="proofy_default", job_id=value)).payload
    assert event["status"] == "error"
    assert event["error"]["type"] == "InvalidRequestError"
    assert "job_id" in event["error"]["message"]
    assert not connections.requests


def test_a_trigger_takes_a_number(connections: Emulator) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=500))
    event = fire(BatchJobTrigger(conn_id="revenuebase_default", job_id=int(job.id))).payload  # type: ignore[arg-type]
    assert (event["status"], event["job_id"]) == ("ended", job.id)


@pytest.mark.parametrize(
    "ask",
    [
        lambda hook: hook.get_job(None),
        lambda hook: hook.cancel_job([]),
        lambda hook: hook.download("", "/nowhere/x.json"),
        lambda hook: hook.fetch({"id": "7"}, max_bytes=10),
    ],
)
def test_a_hook_says_so_too(connections: Emulator, ask: Callable[[Any], object]) -> None:
    with pytest.raises(InvalidRequestError, match="job_id"):
        ask(BatchApiHook.for_connection("proofy_default"))
    assert not connections.requests


@pytest.mark.parametrize("operator", SUBMITTING)
@pytest.mark.parametrize(
    ("mapped", "words"),
    [
        ({"request": {"emails": ["a@b.example"]}}, "request is mapped over a dict"),
        ({"request": [{"emails": ["a@b.example"]}, ["a@b.example"]]}, "of type list"),
        ({"request": ["no JSON"]}, "no JSON"),
        ({"file": ["/data/a.csv", ""]}, "no path"),
    ],
)
def test_what_cannot_be_mapped_is_refused_when_the_dag_is_parsed(
    operator: Any, mapped: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        operator.partial(task_id="task", conn_id="proofy_default").expand(**mapped)


@pytest.mark.parametrize("ids", [{"id": "7"}, ["7", None], [["7"]]])
def test_ids_that_cannot_be_mapped(ids: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="job_id"):
        BatchJobSensor.partial(task_id="task", conn_id="proofy_default").expand(job_id=ids)


def test_what_can_be_mapped() -> None:
    BatchJobSensor.partial(task_id="task", conn_id="proofy_default").expand(job_id=["7", 8, "{{ id }}"])
    SubmitBatchJobOperator.partial(task_id="task", conn_id="proofy_default").expand(
        request=[{"emails": ["a@b.example"]}, '{"emails": ["a@b.example"]}', "{{ request }}"]
    )
