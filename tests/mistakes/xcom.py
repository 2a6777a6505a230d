"""Mistakes with results that go into XCom."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.exceptions import InvalidArgumentError, ResultTooLargeError, UnstorableResultError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from airflow_provider_batchdl.task_groups import batch_job
from tests.mistakes import BEFORE_SUBMIT, ENDED, PARSE, Mistake
from tests.mistakes.desk import Desk, Shown


def _with_nan(desk: Desk) -> Shown:
    body = '[{"score": NaN}]'
    desk.emulator.add_fault(
        Fault("status", operation="download", status=200, body=body, content_type="application/json")
    )
    return desk.run(DownloadBatchResultsOperator, "proofy", job_id=desk.emulator.add_job("proofy").id)


_PARQUET = {
    "report_type": "property",
    "output_format": "parquet",
    "start_date": "2026-10-01",
    "end_date": "2026-10-31",
    "property_ids": [1201],
}


def _group(task_id: str, **given: Any) -> object:
    return batch_job(**given)


MISTAKES: list[Mistake] = [
    Mistake(
        "leaves out the destination of a Parquet file",
        lambda desk: desk.run(vendor="apartmentiq", request=_PARQUET),
        BEFORE_SUBMIT,
        InvalidArgumentError,
        "The request is for a Parquet file, and without a destination the result is an XCom, which cannot hold one.",
        "Set a destination.",
    ),
    Mistake(
        "leaves out the destination of a batch_job for a Parquet file",
        lambda desk: desk.parse(_group, "apartmentiq", request=_PARQUET),
        PARSE,
        InvalidArgumentError,
        "The request is for a Parquet file, and without a destination the result is an XCom, which cannot hold one.",
        "Set a destination.",
    ),
    Mistake(
        "leaves out the destination of a result that is too large for XCom",
        lambda desk: desk.run(max_xcom_bytes=10),
        ENDED,
        ResultTooLargeError,
        "…",
        "Set a destination, so that the result streams to storage instead of XCom.",
    ),
    Mistake(
        "leaves out the destination of a result that Airflow cannot store",
        _with_nan,
        ENDED,
        UnstorableResultError,
        "The result has NaN or an infinity at [0]['score'], which Airflow cannot store.",
        "Set a destination, so that the file goes to storage as it is instead of XCom.",
    ),
]
