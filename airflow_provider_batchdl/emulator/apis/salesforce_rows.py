"""The rows of Salesforce's query jobs: a column for each field of the SELECT."""

from __future__ import annotations

import hashlib
import re
from itertools import chain
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

RECORDS = 500
"""Records of every object in the emulated org."""

_QUERY = re.compile(r"\s*SELECT\s+([\w.,\s]+?)\s+FROM\s+(\w+)\b.*", re.IGNORECASE | re.DOTALL | re.ASCII)


def object_of(query: Any) -> str | None:
    """Return the object that a query reads, or ``None`` where it is no query."""
    match = _QUERY.fullmatch(query) if isinstance(query, str) else None
    return match[2] if match else None


def recipe_for(query: str, seed: int) -> Recipe:
    """Return the recipe of a query's result: every value in quotes (the guide's examples)."""
    match = _QUERY.fullmatch(query)
    names = [name.strip() for name in match[1].split(",")] if match else []

    def write(file: BinaryIO, revision: int, share: float) -> None:
        numbers = range(int(RECORDS * share))
        rows = ([_value(name, number, seed, revision) for name in names] for number in numbers)
        file.writelines(_line(values) for values in chain([names], rows))

    return Recipe(MEDIA_TYPES["csv"], write)


def _value(name: str, number: int, seed: int, revision: int) -> str:
    digest = hashlib.sha256(f"{seed}:{revision}:{name}:{number}".encode()).hexdigest()
    return f"001R{number:011d}IAC" if name.lower() == "id" else f'{name} {number}, "{digest[:8]}"'


def _line(values: list[str]) -> bytes:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values).encode() + b"\n"
