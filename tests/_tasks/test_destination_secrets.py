"""A password in a destination is refused when the DAG is parsed: Airflow would show the rendered text to everybody."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_batchdl.exceptions import InvalidArgumentError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.task_groups import batch_job

REQUESTS = [{"a": 1}, {"a": 2}]


def plain(destination: str) -> None:
    BatchJobOperator(task_id="t", conn_id="proofy_default", request={}, destination=destination)


def later(destination: str) -> None:
    DownloadBatchResultsOperator(task_id="t", conn_id="proofy_default", job_id="1", destination=destination)


def constant(destination: str) -> None:
    BatchJobOperator.partial(task_id="t", conn_id="proofy_default", retries=1, destination=destination).expand(
        request=REQUESTS
    )


def members(destination: str) -> None:
    made: Any = BatchJobOperator.partial(task_id="t", conn_id="proofy_default", retries=1)
    made.expand_kwargs([{"request": {}, "destination": destination}] * 2)


def group(destination: str) -> None:
    batch_job.partial(conn_id="proofy_default", destination=destination).expand(request=REQUESTS)


@pytest.mark.parametrize("make", [plain, later, constant, members, group])
@pytest.mark.parametrize(
    "destination",
    [
        "s3://AKIA:hunter@bucket/x.csv",
        "s3://AKIA:hun/hunter@bucket/x.csv",
        "s3://AKIA:hun/hunter@bucket/{{ ds }}.csv",
        "s3://AKIA:hunter@{{ var.value.bucket }}/x.csv",
        "abfs://conn@container/{{ ds }}.csv?sv=2024&sig=hunter",
    ],
)
def test_it_is_refused_and_not_shown(make: Any, destination: str) -> None:
    with DAG("dag"), pytest.raises(InvalidArgumentError, match="Airflow connection") as caught:
        make(destination)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    "destination",
    [
        "s3://{{ var.value.conn }}@bucket/x.csv",
        "s3://conn@{{ var.value.bucket }}/a:b/{{ ts }}.csv",
        "{{ var.value.place }}",
        "/data/{{ ts }}/a:b@c.csv",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/{{ ds }}/x",
    ],
)
def test_what_only_looks_like_it_is_not(destination: str) -> None:
    with DAG("dag"):
        plain(destination)
