"""Tasks on the pages run to their end as they are, but for a folder in the place of the lake and of `/data`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.operators.run import BatchJobOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from tests.support.airflow_answers import DAG_ID
from tests.support.airflow_api import ExecutionApi
from tests.support.airflow_fixtures import Polls

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README", *(f"docs/{name}" for name in ("howto-run", "howto-steps", "howto-cancel", "howto-personal-data"))]


@pytest.mark.parametrize("page", [*PAGES, "docs/vendors", "docs/windows"])
def test_the_tasks_of_a_page_succeed(
    page: str, connections: Emulator, api: ExecutionApi, polls: Polls, tmp_path: Path
) -> None:
    @task
    def extract() -> str:
        return f"{tmp_path}/contacts.csv"

    @task
    def check() -> None: ...

    @task
    def load(landing: object) -> None: ...

    for name in ("contacts.csv", "contacts/2026-01-01.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("email\nada@example.com\n")
    (tmp_path / "to_verify").mkdir()
    names: dict[str, Any] = {each.__name__: each for each in (DAG, BatchJobOperator, SubmitBatchJobOperator)}
    names |= {"task": task, "extract": extract, "load": load}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL):
        if code.startswith("{"):
            continue
        here = re.sub(r"s3://aws_default@lake|/data(?=/)", str(tmp_path), code)
        here = re.sub(r"^(with DAG\(.*\)):", r"\1 as dag:", here, flags=re.MULTILINE)
        with DAG(DAG_ID, schedule=None) as around:
            if "check" in here:
                names["check"] = check()
            exec(compile(here, page, "exec"), names)  # noqa: S102  what a reader does with it
        for each in (around if around.tasks else names["dag"]).tasks:
            if not hasattr(each, "partial_kwargs"):  # a mapped task needs a scheduler
                outcome = api.run_to_end(lambda each=each: each)  # type: ignore[misc]
                assert (outcome.state, outcome.error) == ("success", None), f"{each.task_id} of {code}"
