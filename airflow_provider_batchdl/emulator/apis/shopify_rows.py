"""The lines of Shopify's bulk results: an object each (guide on bulk operations, "JSONL file format")."""

from __future__ import annotations

import hashlib
import json
from typing import BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

PRODUCTS = 500
"""Products of the emulated shop; every query is answered with these, whatever it selects."""


def recipe_for(seed: int) -> Recipe:
    """Return the recipe of a result."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        for number in range(1, int(PRODUCTS * share) + 1):
            digest = hashlib.sha256(f"{seed}:{revision}:{number}".encode()).hexdigest()
            line = {"id": f"gid://shopify/Product/{number}", "title": f"Product {digest[:8]}"}
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    return Recipe(MEDIA_TYPES["jsonl"], write)
