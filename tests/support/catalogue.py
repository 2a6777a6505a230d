"""Jobs of the catalogue's vendors: what each is asked for in tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_batchdl.emulator.states import DECLARED

__all__ = ["DECLARED", "QUERY", "REQUESTS", "work"]

QUERY = "{ products { edges { node { id title } } } }"
REQUESTS: dict[str, dict[str, Any]] = {
    "openai_batch": {"endpoint": "/v1/chat/completions"},
    "salesforce_bulk_query": {"query": "SELECT Id, Name FROM Account"},
    "shopify_bulk": {"query": QUERY},
    "neverbounce": {"input": [["ada@example.com", "Ada"], ["grace@example.com", "Grace"]]},
}
LINES = [{"custom_id": f"r{number}", "body": {"model": "gpt-4o-mini"}} for number in range(20)]
FAILS = {"custom_id": "bad", "body": {}}
"""A request of OpenAI's that fails, so that there is a file of errors."""


def work(vendor: str, folder: Path) -> dict[str, Any]:
    """The arguments that submit a small job: ``conn_id``, ``request`` and, for OpenAI, ``file``."""
    arguments: dict[str, Any] = {"conn_id": f"{vendor}_default", "request": REQUESTS[vendor]}
    if vendor == "openai_batch":
        path = folder / "requests.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in [*LINES, FAILS]))
        arguments["file"] = str(path)
    return arguments
