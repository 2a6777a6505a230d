"""Made-up rows of each vendor's result in each format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_batchdl.emulator.verdicts import STATUSES, proofy_item

MEDIA_TYPES = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
"""Media type of each format; what the vendors' stores really declare is not documented."""

DEFAULT_FORMAT = {
    "revenuebase": "csv",
    "proofy": "json",
    "batchcom": "jsonl",
    "apartmentiq": "csv",
    "openai_batch": "jsonl",
    "salesforce_bulk_query": "csv",
    "shopify_bulk": "jsonl",
    "neverbounce": "csv",
}
"""What each vendor's result is where the request doesn't choose. Batch.com's one object per line is an inference."""

Record = dict[str, Any]


@dataclass(frozen=True)
class RowShape:
    """Shape of rows in a file: ``prefix``, rows each followed by ``separator``, a last row followed by ``suffix``.

    ``row(block, index, seed, padding)`` makes one row; its length depends on nothing but ``index`` and ``padding``.
    """

    prefix: bytes
    separator: bytes
    suffix: bytes
    row: Callable[[str, str, str, str], bytes]


def _revenuebase(block: str, index: str, seed: str, padding: str) -> Record:
    return {"email": f"{padding}u{block}{index}@{seed}.example", "status": STATUSES[int(index) % 3]}


def _proofy(block: str, index: str, seed: str, padding: str) -> Record:
    return proofy_item(f"{padding}u{block}{index}", f"{seed}.example", ("valid", "invalid", "risky")[int(index) % 3])


def _batchcom(block: str, index: str, seed: str, padding: str) -> Record:
    address = f"{padding}u{block}{index}@{seed}.example"
    return {"identifiers": {"custom_id": f"c{block}{index}"}, "attributes": {"$email_address": address}}


def _apartmentiq(block: str, index: str, seed: str, padding: str) -> Record:
    occupancy = 0.9 + int(index) % 90 / 1000 + 0.0001
    return {
        "property_id": f"{block}{index}",
        "property_name": f"{padding}P{block}{index} {seed}",
        "report_generation_date": f"2025-{1 + int(index) % 12:02d}-{1 + int(index) % 28:02d}",
        "advertised_occupancy_pct": round(occupancy, 4),
    }


def _openai(block: str, index: str, seed: str, padding: str) -> Record:
    body = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": f"{padding}ok"}}]}
    response = {"status_code": 200, "request_id": f"req_{seed}", "body": body}
    return {"id": f"batch_req_{block}{index}", "custom_id": f"r{block}{index}", "response": response, "error": None}


def _salesforce(block: str, index: str, seed: str, padding: str) -> Record:
    return {
        "Id": f"001{block}{index}AAA",
        "Name": f'{padding}Acme, "{seed}"',
        "Industry": ("Banking", "Energy")[int(index) % 2],
    }


def _shopify(block: str, index: str, seed: str, padding: str) -> Record:
    return {"id": f"gid://shopify/Product/{block}{index}", "title": f"{padding}P{block}{index} {seed}"}


def _neverbounce(block: str, index: str, seed: str, padding: str) -> Record:
    return {"email": f"{padding}u{block}{index}@{seed}.example", "email_status": ("valid", "invalid")[int(index) % 2]}


_RECORDS = {
    "revenuebase": _revenuebase,
    "proofy": _proofy,
    "batchcom": _batchcom,
    "apartmentiq": _apartmentiq,
    "openai_batch": _openai,
    "salesforce_bulk_query": _salesforce,
    "shopify_bulk": _shopify,
    "neverbounce": _neverbounce,
}
_QUOTED = frozenset({"salesforce_bulk_query"})
"""Vendors that put every value of a CSV in quotes (Salesforce: the examples of its guide)."""


def flatten(record: Record) -> list[str]:
    """Return a record's scalar values, depth first, for one CSV line."""
    values: list[str] = []
    for value in record.values():
        values.extend(flatten(value) if isinstance(value, dict) else [str(value)])
    return values


def flat_names(record: Record, prefix: str = "") -> list[str]:
    """Return the dotted names of a record's scalar values, in the order of `flatten`."""
    names: list[str] = []
    for name, value in record.items():
        names.extend(flat_names(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])
    return names


def row_shape(vendor: str, format: str) -> RowShape:
    """Return the shape of a vendor's rows in ``csv``, ``jsonl`` or ``json``."""
    record = _RECORDS[vendor]

    def joined(values: list[str]) -> bytes:
        if vendor in _QUOTED:
            values = ['"' + value.replace('"', '""') + '"' for value in values]
        return ",".join(values).encode()

    def line(block: str, index: str, seed: str, padding: str) -> bytes:
        return joined(flatten(record(block, index, seed, padding)))

    def document(block: str, index: str, seed: str, padding: str) -> bytes:
        return json.dumps(record(block, index, seed, padding), separators=(",", ":")).encode()

    if format == "csv":
        return RowShape(joined(flat_names(record("0", "0", "s", ""))) + b"\n", b"\n", b"\n", line)
    if format == "jsonl":
        return RowShape(b"", b"\n", b"\n", document)
    if vendor == "proofy":
        return RowShape(b'{"status":"ready","list":[', b",", b"]}", document)
    return RowShape(b"[\n", b",\n", b"\n]\n", document)


def synthetic_record(vendor: str, number: int, seed: str) -> Record:
    """Return row ``number`` as a flat record, for formats that are not text."""
    record = _RECORDS[vendor](f"{number // 10_000:09d}", f"{number % 10_000:04d}", seed, "")
    return dict(zip(flat_names(record), flatten(record), strict=True))
