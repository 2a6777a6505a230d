"""Airflow's own way from HTTP into S3, as a task runs it: connections from the environment, `execute` called once."""

from __future__ import annotations

import json
import os

from bench.contenders import Order, Work
from bench.contenders.source import s3_settings


def http_to_s3(order: Order) -> Work:
    """`HttpToS3Operator`: the whole body in memory, then `upload_fileobj` from there."""
    store = {"endpoint_url": order["s3"], "region_name": s3_settings(order)["region_name"]}
    os.environ.update(
        AIRFLOW_CONN_BENCH_SOURCE=json.dumps({"conn_type": "http", "host": order["base"]}),
        AIRFLOW_CONN_BENCH_STORE=json.dumps({"conn_type": "aws", "login": "k", "password": "s", "extra": store}),
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
    )
    from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator

    operator = HttpToS3Operator(
        task_id="bench", http_conn_id="bench_source", endpoint=order["file"], aws_conn_id="bench_store",
        s3_bucket="bench", s3_key="object", replace=True, verify=order.get("certificate"),
    )  # fmt: skip

    def work() -> None:
        operator.execute({})

    return work
