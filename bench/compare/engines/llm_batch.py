"""`LLMBatchOperator` of apache-airflow-providers-common-ai, as its example DAG has it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from airflow.providers.common.ai.operators import llm_batch  # type: ignore[import-not-found]  # a peer's

from bench.compare.engines import MODEL, prompts

# Like the other engines it polls once a second; its least is half a minute.
llm_batch._MIN_POLL_INTERVAL = 1


class Engine:
    """One task; the connection's host is the API's base URL, as its guide says for gateways."""

    wait = "batch"

    def __init__(self, order: dict[str, Any]) -> None:
        self.key: str = order["key"]
        self.prompts = prompts(order["prompts"])
        self.folder = Path(order["folder"]) / "results"
        connection = {"conn_type": "pydanticai", "host": order["base_url"] + "/v1", "password": self.key}
        os.environ["AIRFLOW_CONN_LLM"] = json.dumps(connection)

    def tasks(self, api: Any) -> dict[str, Callable[[], Any]]:
        """Submit, wait and download are one task."""
        return {
            "batch": partial(
                llm_batch.LLMBatchOperator,
                task_id="batch",
                llm_conn_id="llm",
                requests=self.prompts,
                result_path=f"file://{self.folder}",
                model_id=f"openai:{MODEL}",
                poll_interval=1,
                deferrable=True,
                retries=2,
            )
        }

    def file(self, api: Any) -> Path | None:
        """None: it writes rows of its own."""
        return None

    def rows(self, api: Any) -> list[tuple[int, str]]:
        """The rows that it calls a success, of the file that its manifest names."""
        [path] = self.folder.glob("*.jsonl")
        rows = []
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["status"] == "success":
                rows.append((row["index"], row["output"]))
        return rows
