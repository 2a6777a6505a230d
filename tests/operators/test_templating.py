"""What varies can be templated, mapped and handed from task to task."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowRuntimeError
from pydantic import ValidationError

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from airflow_provider_batchdl.operators.cancel import CancelBatchJobOperator
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.sensors.job import BatchJobSensor
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_features import needs_masked_fields, needs_task_state_store
from tests.support.airflow_jobs import ADDRESSES, work

ALL: list[type[BaseOperator]] = [
    SubmitBatchJobOperator,
    BatchJobSensor,
    DownloadBatchResultsOperator,
    BatchJobOperator,
    CancelBatchJobOperator,
]


@pytest.mark.parametrize("operator", ALL)
def test_every_template_field_is_an_argument_kept_as_given(operator: type[BaseOperator]) -> None:
    """Airflow renders after ``__init__``, and refuses operators whose ``__init__`` touches what is to be rendered."""
    given = {name: f"{{{{ {name} }}}}" for name in operator.template_fields}
    made: Any = operator(task_id="task", **given)  # type: ignore[arg-type]
    assert {name: getattr(made, name) for name in given} == given
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


@pytest.mark.parametrize("make", [SubmitBatchJobOperator, BatchJobOperator])
def test_a_nested_request_is_rendered(connections: Emulator, api: ExecutionApi, make: type[BaseOperator]) -> None:
    api.conf = {"who": "ada", "more": "grace@example.com", "vendor": "proofy"}
    request = {
        "emails": ["{{ dag_run.conf['who'] }}@example.com", "{{ dag_run.conf['more'] }}"],
        "note": {"run": ["{{ run_id }}"]},
    }
    outcome = api.run_to_end(
        lambda: make(task_id="task", conn_id="{{ dag_run.conf['vendor'] }}_default", request=request)
    )
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("proofy")
    assert job.request["emails"] == ["ada@example.com", "grace@example.com"]
    rendered = api.rendered[("task", -1)]
    assert rendered["request"] == {"emails": job.request["emails"], "note": {"run": ["run_1"]}}
    assert rendered["conn_id"] == "proofy_default"


def test_file_and_destination_are_rendered(connections: Emulator, api: ExecutionApi, tmp_path: Path) -> None:
    api.conf = {"to": str(tmp_path / "out"), "file": work("revenuebase", tmp_path)["file"]}
    outcome = api.run_to_end(
        lambda: BatchJobOperator(
            task_id="run",
            conn_id="revenuebase_default",
            file="{{ dag_run.conf['file'] }}",
            destination="{{ dag_run.conf['to'] }}/{{ ds }}/",
            deferrable=True,
        )
    )
    assert outcome.state == "success", outcome.error
    assert len(list((tmp_path / "out/2026-01-01").glob("[!.]*"))) == 1
    assert api.rendered[("run", -1)]["destination"] == f"{tmp_path}/out/2026-01-01/"


@needs_masked_fields
def test_a_secret_in_a_template_is_not_shown(connections: Emulator, api: ExecutionApi) -> None:
    """A user may hand the key itself to a request; Airflow masks what our hooks have told it about."""
    key = connections.credentials["proofy"].password
    api.variables["key"] = key
    request = {"emails": ADDRESSES, "key": "{{ conn.proofy_default.password }}"}
    api.run(lambda: SubmitBatchJobOperator(task_id="task", conn_id="proofy_default", request=request))
    assert key not in json.dumps(api.rendered[("task", -1)])


@pytest.mark.parametrize("native", [False, True])
def test_a_job_id_from_another_task(connections: Emulator, api: ExecutionApi, native: bool) -> None:
    job = connections.add_job("revenuebase", ResultSpec(bytes=1_000))
    api.give_xcom("submit", job.id)

    def make(operator: type[BaseOperator], job_id: Any = None) -> BaseOperator:
        with DAG("chain", schedule=None, render_template_as_native_obj=native):
            submit = SubmitBatchJobOperator(task_id="submit", conn_id="revenuebase_default", file="people.csv")
            made: Any = operator
            done: BaseOperator = made(
                task_id="task", conn_id="revenuebase_default", job_id=submit.output if job_id is None else job_id
            )
            assert job_id is not None or done.upstream_task_ids == {"submit"}
            return done

    for operator in (BatchJobSensor, DownloadBatchResultsOperator, CancelBatchJobOperator):
        for job_id in (None, "{{ ti.xcom_pull('submit') }}"):
            assert api.run(partial(make, operator, job_id)).state == "success"


def test_a_job_id_that_nobody_pushed_says_so(connections: Emulator, api: ExecutionApi) -> None:
    outcome = api.run(
        lambda: BatchJobSensor(
            task_id="wait", conn_id="revenuebase_default", job_id="{{ ti.xcom_pull('submit') }}", deferrable=True
        )
    )
    assert outcome.state == "failed"
    assert "'None'" in str(outcome.error)


# Half a character.


@pytest.mark.parametrize(
    "as_value",
    [
        lambda text: lambda context, jinja_env: text,
        lambda text: Path(text.replace("/out.", "/{{ 'out' }}.")),
    ],
    ids=["callable", "path object"],
)
def test_what_is_rendered_may_be_a_callable_or_a_path_object(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, as_value: Any
) -> None:
    """Airflow calls the one, and leaves the other as it is."""
    given = work("revenuebase", tmp_path)
    Path(given["file"]).rename(tmp_path / "out.in.csv")
    more = {"file": as_value(f"{tmp_path}/out.in.csv"), "destination": as_value(f"{tmp_path}/out.csv")}
    outcome = api.run_to_end(lambda: BatchJobOperator(task_id="task", **{**given, **more}))
    assert outcome.state == "success", outcome.error
    assert (tmp_path / "out.csv").exists()
    with pytest.raises(InvalidArgumentError, match="drops a slash at its end"):
        BatchJobOperator(task_id="folder", **given, destination=tmp_path / "{{ ds }}")


HALF = "half \ud83d"
FIELDS = [(operator, field) for operator in ALL for field in operator.template_fields]


def with_field(operator: Any, field: str, value: Any) -> BaseOperator:
    given: dict[str, Any] = {"conn_id": "proofy_default"}
    if "job_id" in operator.template_fields:
        given["job_id"] = "7"
    made: BaseOperator = operator(task_id="task", **{**given, field: value})
    return made


@pytest.mark.parametrize(("operator", "field"), FIELDS)
def test_half_a_character_is_refused_when_the_dag_is_parsed(operator: Any, field: str) -> None:
    values: list[Any] = [HALF, f"{{{{ ds }}}}{HALF}", {"a": ["b", HALF]}, {HALF: 1}] if field == "request" else [HALF]
    for value in values:
        with pytest.raises(InvalidArgumentError, match=f"The {field} has half a character"):
            with_field(operator, field, value)


@pytest.mark.parametrize(
    ("operator", "field", "how"),
    [
        (operator, field, how)
        for operator, field in FIELDS
        for how in ("template", "macro", "param", "callable")
        if how == "template" or (operator, field) == (BatchJobOperator, "request")
    ],
)
def test_one_that_a_template_makes_is_refused_before_anything_is_sent(
    connections: Emulator, api: ExecutionApi, operator: Any, field: str, how: str
) -> None:
    """Airflow's own words would be a traceback of pydantic's, from storing what it has rendered."""
    text: Any = {"template": "{{ 'half \\ud83d' }}", "callable": lambda **_: HALF, "macro": "{{ half() }}",
                 "param": "{{ params.half }}"}[how]  # fmt: skip
    value = {"a": ["b", text]} if field == "request" and how != "callable" else text

    def make() -> BaseOperator:
        with DAG("made_up", schedule=None, user_defined_macros={"half": lambda: HALF}, params={"half": HALF}):
            return with_field(operator, field, value)

    outcome = api.run(make)
    assert isinstance(outcome.cause, InvalidRequestError), outcome.error
    where = " at ['a'][1]" if isinstance(value, dict) else ""
    assert f"The {field} has half a character (a lone surrogate) in it{where}, which" in str(outcome.error)
    assert not connections.requests


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        # VARIABLE_NOT_FOUND, since its answer could not be read; 3.1.0 shows what could not read it.
        ("{{ var.value.half }}", (AirflowRuntimeError, ValidationError)),
        ("{{ ti.xcom_pull('before') }}", (UnicodeEncodeError,)),
    ],
)
def test_one_that_airflow_has_stored_it_cannot_read(
    connections: Emulator,
    api: ExecutionApi,
    text: str,
    kinds: tuple[type[Exception], ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It fails while the template is rendered, before any code of the task: the log names the task and the field."""
    api.variables["half"] = HALF
    api.give_xcom("before", HALF)
    outcome = api.run(lambda: with_field(BatchJobOperator, "request", {"emails": [text]}))
    assert type(outcome.error) in kinds
    assert "task 'task', field 'request'" in caplog.text
    assert not connections.requests


def test_one_in_a_runs_configuration_keeps_the_task_from_starting(connections: Emulator, api: ExecutionApi) -> None:
    api.conf = {"who": HALF}
    with pytest.raises(ValidationError):
        api.run(lambda: with_field(BatchJobOperator, "request", {"emails": ["{{ dag_run.conf['who'] }}"]}))
    assert not connections.requests


# Mapped.


def mapped(connections: Emulator, tmp_path: Path) -> dict[str, Any]:
    """For each operator a mapped task of two instances, by its class name."""
    jobs = [connections.add_job("revenuebase", ResultSpec(bytes=1_000, seed=seed)).id for seed in (1, 2)]
    requests = [{"emails": [address]} for address in ADDRESSES[:2]]
    each = [{"job_id": job, "destination": f"{tmp_path}/{job}/"} for job in jobs]
    conn: dict[str, Any] = {"conn_id": "revenuebase_default"}
    return {
        "submit": lambda: SubmitBatchJobOperator.partial(task_id="task", conn_id="proofy_default").expand(
            request=requests
        ),
        "submit by kwargs": lambda: SubmitBatchJobOperator.partial(task_id="task").expand_kwargs(
            [{"conn_id": "proofy_default", "request": request} for request in requests]
        ),
        "wait": lambda: BatchJobSensor.partial(task_id="task", **conn, timeout=60, poke_interval=1).expand(job_id=jobs),
        "download": lambda: DownloadBatchResultsOperator.partial(task_id="task", **conn).expand_kwargs(each),
        "run": lambda: BatchJobOperator.partial(
            task_id="task", conn_id="proofy_default", deferrable=False, retries=2
        ).expand(request=requests),
        "run deferred": lambda: BatchJobOperator.partial(
            task_id="task", conn_id="proofy_default", deferrable=True
        ).expand(request=requests),
        "cancel": lambda: CancelBatchJobOperator.partial(task_id="task", **conn).expand(job_id=jobs),
    }


@pytest.mark.parametrize("which", ["submit", "submit by kwargs", "wait", "download", "run", "run deferred", "cancel"])
def test_mapped(connections: Emulator, api: ExecutionApi, tmp_path: Path, which: str) -> None:
    make = mapped(connections, tmp_path)[which]
    values = []
    for index in (0, 1):
        outcome = api.run_to_end(make, map_index=index)
        assert outcome.state == "success", outcome.error
        values.append(outcome.value)
    assert values[0] != values[1]
    if which.startswith(("submit", "run")):
        assert [job.request["emails"] for job in connections.jobs("proofy")] == [[each] for each in ADDRESSES[:2]]
    if which == "download":
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(value["job_id"] for value in values)


@needs_task_state_store
@pytest.mark.parametrize("which", ["submit", "submit by kwargs", "run", "run deferred"])
def test_each_instance_remembers_its_own_job(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, which: str
) -> None:
    make = mapped(connections, tmp_path)[which]
    values = [api.run_to_end(make, map_index=index).value for index in (0, 1)]
    assert api.run_to_end(make, map_index=0, try_number=2).value == values[0]
    assert len(connections.jobs("proofy")) == 2


def test_mapped_over_what_another_task_returned(connections: Emulator, api: ExecutionApi) -> None:
    jobs = [connections.add_job("revenuebase").id for _ in range(2)]
    for index, job_id in enumerate(jobs):
        api.give_xcom("submit", job_id, map_index=index)

    def make() -> Any:
        with DAG("chain", schedule=None):
            submit = SubmitBatchJobOperator.partial(task_id="submit", conn_id="revenuebase_default").expand(
                file=["a.csv", "b.csv"]
            )
            return BatchJobSensor.partial(task_id="wait", conn_id="revenuebase_default").expand(job_id=submit.output)

    assert [api.run(make, map_index=index).value["id"] for index in (0, 1)] == jobs


# How tasks wait by default.


@pytest.mark.parametrize("operator", [BatchJobOperator, BatchJobSensor])
def test_airflows_default_for_deferring(monkeypatch: pytest.MonkeyPatch, operator: type[BaseOperator]) -> None:
    arguments: dict[str, Any] = {"task_id": "task", "conn_id": "proofy_default"}
    if operator is BatchJobSensor:
        arguments["job_id"] = "1"
    for default in (True, False):
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", str(default))
        made: Any = operator
        assert made(**arguments).deferrable is default
        assert made(**arguments, deferrable=not default).deferrable is not default
    with DAG("dag", schedule=None, default_args={"deferrable": True}):
        made = operator
        assert made(**arguments).deferrable is True


SIGNED = (
    "https://bucket.example/people.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260101"
    "&X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Date=20260101T000000Z"
)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("make", [SubmitBatchJobOperator, BatchJobOperator])
def test_a_signed_url_goes_to_the_vendor_and_is_not_shown(
    connections: Emulator, api: ExecutionApi, make: Any, mapped: bool
) -> None:
    api.conf = {"url": SIGNED, "password": "https://me:hunter2hunter2@files.example/a.csv"}
    request = {
        "file_name": "people.csv",
        "file_url": "{{ dag_run.conf['url'] }}",
        "also": [{"url": "{{ dag_run.conf['password'] }}"}],
    }
    common = {"task_id": "task", "conn_id": "proofy_default"}

    def made() -> Any:
        return make.partial(**common).expand(request=[request]) if mapped else make(**common, request=request)

    outcome = api.run_to_end(made, map_index=0 if mapped else -1)
    assert outcome.state == "success", outcome.error
    [job] = connections.jobs("proofy")
    assert job.request["file_url"] == SIGNED
    shown = str(api.rendered)
    assert "people.csv" in shown
    for secret in ("0123456789abcdef", "AKIDEXAMPLE", "hunter2"):
        assert secret not in shown
        assert secret not in str(api.xcoms)


# Numbers, which native rendering makes of digits.


def native(task: Any) -> Any:
    task.dag.render_template_as_native_obj = True
    return task


@pytest.mark.parametrize("operator", ALL)
def test_a_connections_id_that_became_a_number(
    connections: Emulator, api: ExecutionApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, operator: Any
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_2026", os.environ["AIRFLOW_CONN_REVENUEBASE_DEFAULT"])
    given = work("revenuebase", tmp_path)
    if "file" not in operator.template_fields:
        given = {"job_id": connections.add_job("revenuebase", ResultSpec(bytes=1_000)).id}
    arguments = {**given, "task_id": "task", "conn_id": "{{ 2026 }}"}
    outcome = api.run_to_end(lambda: native(operator(**arguments)))
    assert outcome.state == "success", outcome.error


@pytest.mark.parametrize("value", ["{{ none }}", "{{ [1] }}", "{{ 2.5 }}", "{{ true }}", "{{ '' }}"])
def test_a_connections_id_that_is_none_says_so(connections: Emulator, api: ExecutionApi, value: str) -> None:
    outcome = api.run(lambda: native(BatchJobSensor(task_id="task", conn_id=value, job_id="1")))
    assert outcome.state == "failed"
    assert "The conn_id is" in str(outcome.error)


@pytest.mark.parametrize("value", ["{{ 2026 }}", "{{ 2.5 }}", "{{ ['/tmp/x'] }}", "{{ {} }}"])
@pytest.mark.parametrize("operator", [SubmitBatchJobOperator, BatchJobOperator, DownloadBatchResultsOperator])
def test_a_destination_that_became_a_number_says_so(
    connections: Emulator, api: ExecutionApi, tmp_path: Path, operator: Any, value: str
) -> None:
    given = {"conn_id": "proofy_default", "job_id": "1"}
    if "request" in operator.template_fields:
        given = work("proofy", tmp_path)
    outcome = api.run(lambda: native(operator(task_id="task", destination=value, **given)))
    assert outcome.state == "failed"
    assert "and a destination is text or a path." in str(outcome.error)
    assert not connections.jobs("proofy")
