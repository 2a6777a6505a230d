"""Mistakes with results that go into XCom."""

from __future__ import annotations

from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.exceptions import ResultTooLargeError, UnstorableResultError
from airflow_provider_batchdl.operators.download import DownloadBatchResultsOperator
from tests.mistakes import ENDED, Mistake
from tests.mistakes.desk import Desk, Shown


def _with_nan(desk: Desk) -> Shown:
    body = '[{"score": NaN}]'
    desk.emulator.add_fault(
        Fault("status", operation="download", status=200, body=body, content_type="application/json")
    )
    return desk.run(DownloadBatchResultsOperator, "proofy", job_id=desk.emulator.add_job("proofy").id)


MISTAKES: list[Mistake] = [
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
