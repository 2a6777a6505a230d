"""A result never replaces the file that was submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath

from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job

REFUSED = pytest.raises(InvalidArgumentError, match="is the file that is submitted, and the result would replace it")


def make(kind: Any, file: Any, destination: Any) -> None:
    name = {} if kind is batch_job else {"task_id": "it"}
    with DAG("dag", schedule=None):
        kind(conn_id="revenuebase_default", file=file, destination=destination, retries=1, **name)


@pytest.mark.parametrize("kind", [BatchJobOperator, SubmitBatchJobOperator, batch_job])
def test_however_it_is_spelled(kind: Any, tmp_path: Path) -> None:
    file, link = tmp_path / "in.csv", tmp_path / "link.csv"
    file.touch()
    link.symlink_to(file)
    url = file.as_uri()
    for one, other in [
        (str(file), str(file)), (file, url), (f"{tmp_path}/./in.csv", url), (link, str(file)), (str(file), str(link)),
        (f"{tmp_path}/x/../in.csv", ObjectStoragePath(url)), ("s3://bucket/in.csv", "S3A://bucket/in.csv"),
        ("s3://aws@bucket/in.csv", "s3://aws@bucket/in.csv"),
    ]:  # fmt: skip
        with REFUSED:
            make(kind, one, other)
    for one, other in [
        (str(file), f"{tmp_path}/out.csv"), (str(file), f"{tmp_path}/"), ("gs://bucket/in.csv", "s3://bucket/in.csv"),
        ("s3://one@bucket/in.csv", "s3://two@bucket/in.csv"), ("{{ x }}", "/data/{{ x }}"),
    ]:  # fmt: skip
        make(kind, one, other)


def test_of_a_mapped_task() -> None:
    with DAG("dag", schedule=None), REFUSED:
        BatchJobOperator.partial(task_id="it", conn_id="a", file="/data/{x}.csv", destination="/data/{x}.csv")
