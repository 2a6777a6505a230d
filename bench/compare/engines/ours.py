"""This package: `BatchJobOperator` with the bundled document of OpenAI's API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.operators.run import BatchJobOperator
from bench.compare.engines import ENDPOINT, input_lines, rows_of
from bench.compare.scenes import KEY_HEADER

NAME = "openai_batch"


def _document(*, own_header: bool) -> dict[str, Any]:
    """The connection's extra: the bundled document's name, or the document with another header for the key."""
    if not own_header:
        return {"vendor": NAME}
    folder = resources.files("airflow_provider_batchdl.vendors.declared.catalogue")
    text = (folder / f"{NAME}.toml").read_text(encoding="utf-8")
    bearer, header = 'auth = { kind = "bearer" }', f'auth = {{ kind = "header", name = "{KEY_HEADER}" }}'
    assert text.count(bearer) == 1
    return {"vendor_document": text.replace(bearer, header)}


class Engine:
    """One task."""

    wait = "batch"

    def __init__(self, order: dict[str, Any]) -> None:
        self.key: str = order["key"]
        self.folder = Path(order["folder"])
        self.input = self.folder / "input.jsonl"
        self.input.write_text(input_lines(order["prompts"]))
        extra = {"poll_interval": 1, **_document(own_header=order["own_header"])}
        connection = {"conn_type": "batchapi", "host": order["base_url"], "password": self.key, "extra": extra}
        os.environ["AIRFLOW_CONN_OPENAI"] = json.dumps(connection)

    def tasks(self, api: Any) -> dict[str, Callable[[], Any]]:
        """Submit, wait and download are one task."""
        return {
            "batch": partial(
                BatchJobOperator,
                task_id="batch",
                conn_id="openai",
                file=str(self.input),
                request={"endpoint": ENDPOINT},
                destination=str(self.folder / "result.jsonl"),
                deferrable=True,
                retries=2,
            )
        }

    def file(self, api: Any) -> Path | None:
        """The vendor's file."""
        return self.folder / "result.jsonl"

    def rows(self, api: Any) -> list[tuple[int, str]]:
        """What the destination has."""
        return rows_of((self.folder / "result.jsonl").read_text().splitlines())
