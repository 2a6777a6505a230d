"""Requests that have what the vendors document, and nothing else."""

from __future__ import annotations

from typing import Any

REPORT: dict[str, Any] = {
    "report_type": "property",
    "output_format": "csv",
    "start_date": "2026-10-01",
    "end_date": "2026-10-31",
    "property_ids": [1201],
}
EXPORT = {"export_type": "ATTRIBUTES", "attributes": ["$email_address"]}
