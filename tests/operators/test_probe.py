"""Destinations that cannot take a result: told by every task that submits, and nothing is submitted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, XComArg

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, InvalidRequestError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job
from tests.support.airflow_api import ExecutionApi, Outcome
from tests.support.airflow_features import needs_task_state_store
from tests.support.airflow_jobs import count, work
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import WRITER, S3Store

Submitting = Callable[..., Outcome]


def submit_of_group(**arguments: Any) -> Any:
    with DAG("inner", schedule=None) as dag:
        batch_job(**arguments)
    task: Any = dag.task_dict["batch_job.submit"]
    given = {"destination": task.destination, "if_exists": task.options.if_exists}
    return SubmitBatchJobOperator(task_id="task", **{**arguments, **given})


MAKERS: dict[str, Callable[..., Any]] = {
    "run": lambda **given: BatchJobOperator(task_id="task", deferrable=False, **given),
    "submit": lambda **given: SubmitBatchJobOperator(task_id="task", **given),
    "group": submit_of_group,
}


@pytest.fixture(params=MAKERS)
def submitting(request: pytest.FixtureRequest, connections: Emulator, api: ExecutionApi, tmp_path: Path) -> Submitting:
    """Runs a task that submits; `run` and `submit` are operators, and `group` is the group's own task."""

    def run(**arguments: Any) -> Outcome:
        return api.run(lambda: MAKERS[request.param](**work("proofy", tmp_path), **arguments))

    return run


@pytest.fixture
def bucket(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    def connect(name: str, login: str, password: str) -> None:
        extra = {"endpoint_url": s3_store.endpoint_url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))

    connect("store", s3_store.access_key, s3_store.secret_key)
    connect("writer", *WRITER)
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def refused(outcome: Outcome, connections: Emulator) -> BatchDlError:
    assert count(connections, "submit") == 0
    assert outcome.error is not None
    error = outcome.error if isinstance(outcome.error, BatchDlError) else outcome.error.__cause__
    error = outcome.error if isinstance(outcome.error, BatchDlError) else outcome.cause
    assert isinstance(error, BatchDlError)
    assert outcome.state == ("up_for_retry" if error.retryable else "failed")
    return error


@pytest.mark.parametrize("place", ["file/x.csv", "file/", "{{ 'file' }}/x.csv"])
def test_a_file_where_a_folder_should_be(
    submitting: Submitting, connections: Emulator, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    error = refused(submitting(destination=f"{tmp_path}/{place}"), connections)
    assert isinstance(error, DestinationError)
    assert "is a file, not a folder" in str(error) or "it is no folder" in str(error)


def test_what_is_there_already(submitting: Submitting, connections: Emulator, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("old")
    error = refused(submitting(destination=f"{tmp_path}/x.csv", if_exists="error"), connections)
    assert "exists already" in str(error)
    assert submitting(destination=f"{tmp_path}/x.csv").state == "success"
    assert count(connections, "submit") == 1


def test_a_missing_bucket(submitting: Submitting, connections: Emulator, bucket: Bucket) -> None:
    error = refused(submitting(destination=f"s3://store@{bucket.name}-missing/x.csv"), connections)
    assert "Create the bucket" in str(error)


def test_a_connection_that_does_not_exist(submitting: Submitting, connections: Emulator, bucket: Bucket) -> None:
    error = refused(submitting(destination=f"s3://stroe@{bucket.name}/x.csv"), connections)
    assert "Airflow does not find the connection 'stroe' (AirflowNotFoundException)." in str(error)
    assert error.retryable  # a secrets backend that is down says the same


@needs_task_state_store  # before Airflow 3.3, the record beside the destination has to be read
def test_a_key_that_may_only_write_lands_a_result(
    submitting: Submitting, connections: Emulator, bucket: Bucket
) -> None:
    outcome = submitting(destination=f"s3://writer@{bucket.name}/x.csv")
    assert count(connections, "submit") == 1, outcome.error


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        ("{{ '' }}", "The destination rendered to an empty text."),
        ("{{ ' ' }}", "The destination rendered to an empty text."),
        ("{{ none }}", "The destination rendered to the text 'None'."),
        ("{{ none }}/x.csv", "The destination rendered to 'None/x.csv', with None for a part of it."),
        ("s3://{{ none }}/x.csv", "The destination rendered to 's3://None/x.csv', with None for a part of it."),
        ("/None/{{ none }}", "The destination rendered to '/None/None', with None for a part of it."),
        ("/{{ '{{ ds }}' }}/", "The destination has a template in it, '/{{ ds }}/', which is not rendered there."),
        ("{{ 's4://x/y' }}", "No installed provider serves s4:// destinations."),
        ("{{ 'results/' }}", "The destination 'results/' is relative to a folder"),
    ],
)
def test_a_template_that_renders_to_what_is_no_destination(
    submitting: Submitting, connections: Emulator, destination: str, says: str
) -> None:
    error = refused(submitting(destination=destination), connections)
    assert says in str(error)
    assert not error.retryable


@pytest.mark.parametrize("name", ["destination", "partition_key", "request", "file"])
def test_a_template_that_renders_to_none(connections: Emulator, api: ExecutionApi, tmp_path: Path, name: str) -> None:
    """Without the argument, the task would land in XCom, or submit what the vendor takes for default."""
    for make in (MAKERS["run"], MAKERS["submit"]):
        if name == "partition_key" and make is MAKERS["submit"]:
            continue

        def native(make: Callable[..., Any] = make) -> Any:
            task = make(
                **{**work("proofy", tmp_path), **({"request": None} if name == "file" else {}), name: "{{ none }}"}
            )
            task.dag.render_template_as_native_obj = True
            return task

        error = refused(api.run(native), connections)
        assert isinstance(error, InvalidRequestError)
        assert f"The {name} rendered to None." in str(error)


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        ({"file_name": "{{ none }}", "emails": ["a@example.com"]}, "request['file_name']"),
        ({"file_name": "x", "emails": ["a@example.com", " {{ none }} "]}, "request['emails'][1]"),
        ({"options": [{"name": "{% if false %}x{% else %}None{% endif %}"}]}, "request['options'][0]['name']"),
    ],
)
@pytest.mark.parametrize("operator", ["run", "submit"])
def test_a_member_of_a_request_that_renders_to_the_text_none(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, request_: dict[str, Any], where: str, operator: str
) -> None:
    def make() -> Any:
        return MAKERS[operator](**{**work("proofy", tmp_path), "request": request_})

    error = refused(api.run(make), connections)
    assert isinstance(error, InvalidRequestError)
    assert f"The {where} rendered to the text 'None'." in str(error)


def test_the_word_none_that_no_template_gave_is_sent(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    given = work("proofy", tmp_path)

    def make() -> Any:
        return MAKERS["submit"](**{**given, "request": {**given["request"], "file_name": "None"}})

    assert api.run(make).error is None
    assert count(connections, "submit") == 1


def test_the_group_leaves_out_what_only_exists_after_the_submit() -> None:
    with DAG("dag", schedule=None) as dag:
        found = XComArg(BatchJobOperator(task_id="before", conn_id="proofy_default", request={}))
        places: list[Any] = ["/tmp/{{ ti.xcom_pull(task_ids='batch_job.submit') }}/", "/tmp/{{ ds }}/", found]
        for number, place in enumerate(places):
            batch_job.override(group_id=f"group_{number}")("proofy_default", {}, destination=place)
    submits: list[Any] = [dag.task_dict[f"group_{number}.submit"] for number in range(3)]
    assert [task.destination for task in submits] == [None, "/tmp/{{ ds }}/", found]
