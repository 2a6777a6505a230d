"""Input and rows of NeverBounce's jobs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zlib
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.results import Recipe
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

_RESULTS = ("valid", "invalid", "catchall", "disposable", "unknown")


def addresses_of(location: str, given: Any) -> list[str]:
    """Return the addresses of a job: rows with the address first, objects with ``email``, or plain addresses.

    The emulator fetches nothing: a file at a URL becomes a few addresses made of the URL.
    """
    if location == "remote_url":
        host = f"{zlib.crc32(str(given).encode(errors='replace')):x}.example"
        return [f"user{number}@{host}" for number in range(10 if isinstance(given, str) and given else 0)]
    if isinstance(given, str):  # in a form, a list is JSON (the reference's "format: json")
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return []
    return [_address_of(row) for row in given] if isinstance(given, list) else []


def _address_of(row: Any) -> str:
    if isinstance(row, dict):
        row = row.get("email", "")
    elif isinstance(row, list):
        row = row[0] if row else ""
    return str(row)


def recipe_for(addresses: list[str], seed: int) -> Recipe:
    """Return the recipe of a job's CSV: the input's column and ``email_status``."""

    def write(file: BinaryIO, revision: int, share: float) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["email", "email_status"])
        for address in addresses[: int(len(addresses) * share)]:
            digest = hashlib.sha256(f"{seed}:{revision}:{address}".encode(errors="replace")).digest()
            writer.writerow([address, _RESULTS[digest[0] % len(_RESULTS)]])
        text.flush()
        text.detach()

    return Recipe(MEDIA_TYPES["csv"], write)
