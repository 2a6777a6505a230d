"""Checks of ApartmentIQ's job requests, and the rows of their results."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Any, BinaryIO

from airflow_provider_batchdl.emulator.openapi import TEXT
from airflow_provider_batchdl.emulator.openapi import body as body_spec
from airflow_provider_batchdl.emulator.parquet import write_parquet
from airflow_provider_batchdl.emulator.results import Recipe, as_text
from airflow_provider_batchdl.emulator.rows import MEDIA_TYPES

REPORT_TYPES = ("floorplans", "property", "units")
FORMATS = ("csv", "jsonl", "parquet")
_BATCH = 10_000
_MAX_ID = 1 << 63
_ARRAY = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 20}
_FIELDS: dict[str, Any] = {
    "report_type": {"enum": list(REPORT_TYPES)},
    "output_format": {"enum": list(FORMATS)},
    "start_date": {**TEXT, "format": "date"},
    "end_date": {**TEXT, "format": "date"},
    "property_ids": _ARRAY,
    "callback_url": TEXT,
}
SUBMIT_SPEC = body_spec(_FIELDS, [name for name in _FIELDS if name != "callback_url"])


def problem_of(body: dict[str, Any]) -> str | None:
    """Return the error text for a body that creates no job, or ``None``.

    The text about ``property_ids`` is the vendor's; the others are made after it.
    """
    for name, allowed in (("report_type", REPORT_TYPES), ("output_format", FORMATS)):
        if name not in body:
            return f"{name} is required"
        if body[name] not in allowed:
            return f"{name} must be one of: {', '.join(allowed)}"
    days = [_day(body.get(name)) for name in ("start_date", "end_date")]
    for name, day in zip(("start_date", "end_date"), days, strict=True):
        if name not in body:
            return f"{name} is required"
        if day is None:
            return f"{name} must be a date in YYYY-MM-DD format"
    if days[0] and days[1] and days[0] > days[1]:
        return "start_date must not be after end_date"
    ids = body.get("property_ids")
    if not isinstance(ids, list) or not ids:
        return "property_ids is required and must be a non-empty array"
    if not all(isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_ID for value in ids):
        return "property_ids must contain integers"
    return None if isinstance(body.get("callback_url"), (str, type(None))) else "callback_url must be a URL"


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else None
    except ValueError:
        return None


def _row(property_id: int, day: date, report: str, seed: int, revision: int) -> dict[str, Any]:
    """Return one row; the fields are those that one customer's code was seen to read (third party)."""
    digest = hashlib.sha256(f"{seed}:{revision}:{report}:{property_id}:{day}".encode()).digest()
    rent = 1200 + int.from_bytes(digest[:2], "big") % 2000
    return {
        "property_id": property_id,
        "report_generation_date": day.isoformat(),
        "advertised_occupancy_pct": round(0.85 + digest[2] / 2000, 4),
        "leases_last_30d": digest[3] % 30,
        "applications_last_7d": digest[4] % 12,
        "avg_rent": float(rent),
        "avg_ner": round(rent * 0.96, 2),
        "avg_rent_psf": round(rent / 850, 2),
    }


def rows_of(body: dict[str, Any], seed: int, revision: int) -> Iterator[dict[str, Any]]:
    """Yield one row per property per day (third party)."""
    first, last = date.fromisoformat(body["start_date"]), date.fromisoformat(body["end_date"])
    for property_id in body["property_ids"]:
        for offset in range((last - first).days + 1):
            yield _row(property_id, first + timedelta(offset), body["report_type"], seed, revision)


def recipe_for(body: dict[str, Any], seed: int) -> Recipe:
    """Return the recipe of a job's result in the format it asks for."""
    format = body["output_format"]

    def write(file: BinaryIO, revision: int, share: float) -> None:
        rows = rows_of(body, seed, revision)
        if format == "csv":
            _write_csv(file, rows)
        elif format == "jsonl":
            file.writelines(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        else:
            write_parquet(file, iter(lambda: list(islice(rows, _BATCH)), []))

    return Recipe(MEDIA_TYPES[format], write)


def _write_csv(file: BinaryIO, rows: Iterator[dict[str, Any]]) -> None:
    with as_text(file) as text:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(text, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
