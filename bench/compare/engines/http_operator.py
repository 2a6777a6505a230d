"""`HttpOperator` of apache-airflow-providers-http: a DAG of four tasks, deferrable wherever the operator can be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import PokeReturnValue

from bench.compare.engines import ENDPOINT, input_lines, rows_of
from bench.compare.scenes import KEY_HEADER


class Engine:
    """Upload, create, wait, download. The key is a header in the connection's extra, as the guide has it."""

    wait = "wait"

    def __init__(self, order: dict[str, Any]) -> None:
        self.key: str = order["key"]
        self.folder = Path(order["folder"])
        self.lines = input_lines(order["prompts"])
        own = order["own_header"]
        header = {KEY_HEADER: self.key} if own else {"Authorization": f"Bearer {self.key}"}
        os.environ["AIRFLOW_CONN_OPENAI"] = json.dumps(
            {"conn_type": "http", "host": order["base_url"], "extra": header}
        )

    def tasks(self, api: Any) -> dict[str, Callable[[], Any]]:
        """A deferred request has no files, so the upload is not deferred."""
        known: dict[str, Any] = {"http_conn_id": "openai", "retries": 2}
        upload = partial(
            HttpOperator,
            task_id="upload",
            endpoint="/v1/files",
            data={"purpose": "batch"},
            request_kwargs={"files": {"file": ("input.jsonl", self.lines, "application/jsonl")}},
            response_filter=lambda response: response.json()["id"],
            **known,
        )

        def create() -> Any:
            body = {
                "input_file_id": api.pushed("upload", "return_value"),
                "endpoint": ENDPOINT,
                "completion_window": "24h",
            }
            return HttpOperator(
                task_id="create",
                endpoint="/v1/batches",
                data=json.dumps(body),
                headers={"Content-Type": "application/json"},
                response_filter=lambda response: response.json()["id"],
                deferrable=True,
                **known,
            )

        def wait() -> Any:
            return HttpSensor(
                task_id="wait",
                endpoint=f"/v1/batches/{api.pushed('create', 'return_value')}",
                response_check=_when_complete,
                poke_interval=1,
                deferrable=True,
                **known,
            )

        def download() -> Any:
            return HttpOperator(
                task_id="download",
                method="GET",
                endpoint=f"/v1/files/{api.pushed('wait', 'return_value')}/content",
                deferrable=True,
                **known,
            )

        return {"upload": upload, "create": create, "wait": wait, "download": download}

    def file(self, api: Any) -> Path | None:
        """What a task downstream makes of the XCom."""
        path = self.folder / "result.jsonl"
        path.write_bytes(api.pushed("download", "return_value").encode())
        return path

    def rows(self, api: Any) -> list[tuple[int, str]]:
        """What the XCom has."""
        return rows_of((api.pushed("download", "return_value") or "").splitlines())


def _when_complete(response: Any) -> PokeReturnValue:
    """A batch that is complete, and the id of its result."""
    batch = response.json()
    return PokeReturnValue(is_done=batch["status"] == "completed", xcom_value=batch["output_file_id"])
