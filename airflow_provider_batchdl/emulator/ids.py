"""Ids of jobs in each vendor's form."""

from __future__ import annotations

import uuid

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def _digits(digest: str, count: int) -> str:
    return f"{int(digest, 16) % 10**count:0{count}d}"


def _salesforce(digest: str) -> str:
    """Return 18 letters and digits; the key prefix ``750`` is that of the documentation's examples."""
    number = int(digest, 16)
    return "750" + "".join(_BASE36[number // 36**place % 36] for place in range(15))


def job_id(vendor: str, serial: int, digest: str) -> str:
    """Return the id of an account's next job.

    Args:
        vendor: vendor name.
        serial: number of the job, from 1.
        digest: hexadecimal text that differs for each job.
    """
    match vendor:
        case "revenuebase" | "neverbounce":
            return str(41_000 + serial)
        case "batchcom":
            return f"export_{digest[:32]}"
        case "openai_batch":
            return f"batch_{digest[:32]}"
        case "salesforce_bulk_query":
            return _salesforce(digest)
        case "shopify_bulk":
            return f"gid://shopify/BulkOperation/{_digits(digest, 13)}"
        case _:
            return str(uuid.UUID(digest[:32], version=4))
