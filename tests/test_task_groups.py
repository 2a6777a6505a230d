"""The `batch_job` task group as a DAG has it; `tests/system` runs it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, chain, task

from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from airflow_provider_batchdl.task_groups import batch_job
from tests.support.airflow_features import DagSerialization

WORK: dict[str, Any] = {"conn_id": "proofy_default", "request": {"emails": ["ada@example.com"]}}
STEPS = ("submit", "wait", "download")


def grouped(**arguments: Any) -> DAG:
    with DAG("grouped", schedule=None) as dag:
        batch_job(**WORK, **arguments)
    return dag


def steps(dag: DAG, group: str = "batch_job") -> list[Any]:
    return [dag.task_dict[f"{group}.{step}"] for step in STEPS]


def test_three_tasks_in_a_row() -> None:
    dag = grouped(destination="/tmp/landed/")
    submit, wait, download = steps(dag)
    assert list(dag.task_dict) == [task.task_id for task in (submit, wait, download)]
    assert wait.upstream_task_ids == {submit.task_id}
    assert download.upstream_task_ids == {submit.task_id, wait.task_id}
    assert wait.deferrable
    assert wait.timeout == timedelta(days=1).total_seconds()
    assert download.destination == "/tmp/landed/"


def test_its_settings_reach_the_tasks() -> None:
    dag = grouped(accept_partial=True, if_exists="skip", poll_interval=7, pool="proofy", timeout=60, deferrable=False)
    submit, wait, download = steps(dag)
    assert wait.accept_partial
    assert download.options == DownloadOptions(accept_partial=True, if_exists="skip")
    assert (wait.poll_interval, wait.timeout, wait.deferrable) == (7, 60, False)
    assert {task.pool for task in (submit, wait, download)} == {"proofy"}


def test_the_download_has_the_outlets_and_says_which_partition_its_result_is_of() -> None:
    reports = Asset("reports", uri="s3://lake/reports")
    submit, wait, download = steps(grouped(outlets=[reports], partition_key="{{ ds }}"))
    assert (submit.outlets, wait.outlets, download.outlets) == ([], [], [reports])
    assert download.partition_key == "{{ ds }}"
    with DAG("grouped", schedule=None, default_args={"outlets": [reports]}) as dag:
        batch_job(**WORK, partition_key="2026-10")
    assert steps(dag)[2].outlets == [reports]


@pytest.mark.parametrize("outlets", [None, [], [AssetAlias("results")]])
def test_a_partition_of_nothing_is_refused_when_the_dag_is_read(outlets: list[Any] | None) -> None:
    """The download would refuse it, but only after the submit, which is paid for."""
    with pytest.raises(ValueError, match="no Asset among its outlets"):
        grouped(outlets=outlets, partition_key="2026-10")


def test_retries() -> None:
    for task_ in steps(grouped()):
        assert task_.retries == 3
        if hasattr(task_, "retry_policy"):
            assert isinstance(task_.retry_policy, BatchDlRetryPolicy)
    assert [task_.retries for task_ in steps(grouped(retries=0))] == [0, 0, 0]


def test_default_args_come_first() -> None:
    with DAG("grouped", schedule=None, default_args={"retries": 7, "pool": "shared"}) as dag:
        batch_job(**WORK)
    assert [(task_.retries, task_.pool) for task_ in steps(dag)] == [(7, "shared")] * 3


@pytest.mark.parametrize("edge", ["check >> group", "group << check", "[check] >> group", "chain", "task group"])
def test_what_comes_before_it_comes_before_the_submit(edge: str) -> None:
    """A plain XComArg of the download would let the submit go ahead, which is paid for."""
    with DAG("grouped", schedule=None) as dag:
        check, group = BaseOperator(task_id="check"), batch_job(**WORK)
        if edge == "check >> group":
            check >> group
        elif edge == "group << check":
            group << check
        elif edge == "[check] >> group":
            [check] >> group
        elif edge == "chain":
            chain(check, group)
        else:
            batch_job.override(group_id="before")(**WORK) >> group
    submit, _, download = steps(dag)
    before = "check" if edge != "task group" else "before.download"
    assert submit.upstream_task_ids == {before}
    assert before not in download.upstream_task_ids


def test_what_comes_after_it_comes_after_the_download() -> None:
    with DAG("grouped", schedule=None) as dag:
        group, after = batch_job(**WORK), BaseOperator(task_id="after")
        group >> after
    assert after.upstream_task_ids == {"batch_job.download"}
    assert steps(dag)[0].downstream_task_ids == {"batch_job.wait", "batch_job.download"}


def test_several_in_one_dag() -> None:
    with DAG("grouped", schedule=None) as dag:
        batch_job(**WORK)
        batch_job(**WORK)
        batch_job.override(group_id="named")(**WORK)
    assert set(dag.task_group_dict) == {"batch_job", "batch_job__1", "named"}


def test_mapped_it_goes_through_serialization() -> None:
    @task
    def requests() -> list[dict[str, Any]]:
        return []

    @task
    def load(landings: Any) -> None: ...

    with DAG("grouped", schedule=None) as dag:
        check = BaseOperator(task_id="check")
        landings = batch_job.partial(conn_id="proofy_default", destination="/tmp/{{ ti.map_index }}/").expand(
            request=requests()
        )
        check >> landings
        load(landings)
    read = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert read.get_task("batch_job.submit").upstream_task_ids == {"check", "requests"}
    assert read.get_task("load").upstream_task_ids == {"batch_job.download"}


def test_a_setting_that_is_a_path_is_not_taken_for_one_that_is_mapped_over() -> None:
    with DAG("grouped", schedule=None), pytest.raises(InvalidArgumentError, match="max_xcom_bytes must be a whole"):
        batch_job(**WORK, max_xcom_bytes=Path("x"))  # type: ignore[arg-type]


def test_mapped_over_a_setting_it_says_what_can_be_mapped() -> None:
    with DAG("grouped", schedule=None):
        with pytest.raises(TypeError, match="conn_id, request, file, destination, partition_key with expand"):
            batch_job.expand(conn_id=["proofy_default"], pool=["one", "other"])
        with pytest.raises(TypeError, match="expand_kwargs"):
            batch_job.expand_kwargs([WORK])


def test_the_id_is_pushed_whatever_default_args_say() -> None:
    with DAG("grouped", schedule=None, default_args={"do_xcom_push": False}) as dag:
        batch_job(**WORK)
    assert [task.do_xcom_push for task in steps(dag)] == [True, False, False]
